//go:build linux

package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	root = "../.."
	// name sets containers, volumes and networks apart from those of somebody who uses the file.
	name = "zkrecipe-test"
)

// project is docker-compose.yml at work.
type project struct {
	*engine
	program []string // docker compose, or the older docker-compose
}

func newProject(ctx context.Context, e *engine) (*project, error) {
	p := &project{engine: e, program: []string{"docker", "compose"}}
	if _, err := e.run(ctx, "docker", "compose", "version"); err != nil {
		p.program = []string{"docker-compose"}
		if _, err := exec.LookPath("docker-compose"); err != nil {
			return nil, fmt.Errorf("neither docker compose nor docker-compose: %w (Debian: docker-compose)", err)
		}
	}
	return p, nil
}

// compose runs a command with the servers alone.
func (p *project) compose(ctx context.Context, args ...string) (string, error) {
	return p.run(ctx, slices.Concat(p.program, []string{"--project-name", name}, args)...)
}

// demo runs a command with the candidates and the status page too.
func (p *project) demo(ctx context.Context, args ...string) (string, error) {
	return p.compose(ctx, append([]string{"--profile", "demo"}, args...)...)
}

// images returns what images the file names.
func images() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	var images []string
	for _, m := range regexp.MustCompile(`(?m)^ +image: (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		images = append(images, m[1])
	}
	return images, err
}

// prepare makes the images that an engine of our own lacks. Elsewhere they are pulled when they are
// needed.
func (p *project) prepare(ctx context.Context) error {
	if p.cmd == nil {
		return nil
	}
	all, err := images()
	if err != nil {
		return err
	}
	for _, image := range all {
		if err := p.standIn(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

// listed returns the ids of containers, volumes or networks of the project.
func (p *project) listed(ctx context.Context, what ...string) ([]string, error) {
	out, err := p.run(ctx, slices.Concat([]string{"docker"}, what, []string{"--quiet", "--filter", "label=com.docker.compose.project=" + name})...)
	return strings.Fields(out), err
}

// container returns the id of a service's container.
func (p *project) container(ctx context.Context, service string) (string, error) {
	ids, err := p.listed(ctx, "ps", "--all", "--filter", "label=com.docker.compose.service="+service)
	if err == nil && len(ids) != 1 {
		err = fmt.Errorf("service %s has the containers %v; want one", service, ids)
	}
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// inspect returns what a template makes of what the engine knows of a service's container.
func (p *project) inspect(ctx context.Context, service, template string) (string, error) {
	id, err := p.container(ctx, service)
	if err != nil {
		return "", err
	}
	out, err := p.run(ctx, "docker", "inspect", "--format", template, id)
	return strings.TrimSpace(out), err
}

// healthy waits until the health checks of services have passed.
func (p *project) healthy(ctx context.Context, bound time.Duration, services ...string) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	for _, service := range services {
		for {
			state, err := p.inspect(ctx, service, "{{.State.Status}}, {{.State.Health.Status}}")
			if err == nil && state == "running, healthy" {
				break
			}
			if ctx.Err() != nil || strings.HasPrefix(state, "exited") {
				logs, _ := p.demo(context.WithoutCancel(ctx), "logs", "--no-color", "--tail", "30", service)
				return fmt.Errorf("%s is %q after %v: %w\n%s", service, state, bound, errors.Join(err, ctx.Err()), logs)
			}
			time.Sleep(250 * time.Millisecond) // the engine says so by events, but "up --wait" does it thus too
		}
	}
	return nil
}

// down takes everything down, volumes too, and says what is left.
func (p *project) down(ctx context.Context) error {
	_, err := p.demo(ctx, "down", "--volumes", "--timeout", "5")
	for _, what := range [][]string{{"ps", "--all"}, {"volume", "ls"}, {"network", "ls"}} {
		left, err2 := p.listed(ctx, what...)
		if err2 == nil && len(left) > 0 {
			err2 = fmt.Errorf("left after down: %s %v", what[0], left)
		}
		err = errors.Join(err, err2)
	}
	return err
}
