package docs

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// compose returns what docker-compose makes of docker-compose.yml.
func compose(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(need.Program(t, "docker-compose", "docker-compose"), args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker-compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// each returns what the first group of a pattern matches, line by line.
func each(text, pattern string) (found []string) {
	for _, m := range regexp.MustCompile("(?m)"+pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestTheComposeFileIsValidAndPinsOfficialImages(t *testing.T) {
	demo := compose(t, "--profile", "demo", "config")
	official := regexp.MustCompile(`^(zookeeper|golang):\d+\.\d+\.\d+$`)
	images := each(demo, `^    image: (.*)$`)
	for _, image := range images {
		if !official.MatchString(image) {
			t.Errorf("image %s; want an official one in a full version", image)
		}
	}
	if services := each(demo, `^  (zoo[123]|alice|bob|carol|status):$`); len(images) != 7 || len(services) != 7 {
		t.Errorf("images %v for the services %v; want three servers, three candidates and a status page", images, services)
	}
	if behind := each(demo, `^    profiles:\n    - (demo)$`); len(behind) != 4 {
		t.Errorf("%d services are started on request alone; want all but the servers", len(behind))
	}
	if strings.Contains(demo, "build:") {
		t.Error("something is built into an image")
	}
	if checks := each(demo, `^    (healthcheck):$`); len(checks) != 4 {
		t.Errorf("%d health checks; want one for each server and for the status page", len(checks))
	}
	ports := each(demo, `^    - (\S*:\d+)/tcp$`)
	if len(ports) != 4 {
		t.Errorf("the ports published are %v; want 4", ports)
	}
	for _, port := range ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("port %s is published; want it on loopback alone", port)
		}
	}
	if source := each(demo, `^    - (.*:/src:ro)$`); len(source) != 4 {
		t.Errorf("the tree is mounted as %v; want it read-only, four times", source)
	}
}

// commands returns the shell scripts of the programs in docker-compose.yml as they are in a
// container, but for the directory that they compile to.
func commands(t *testing.T, dir string) (candidate, status string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	found := each(string(text), `(go build .*;\n +exec .*)$`)
	if len(found) != 2 {
		t.Fatalf("found the scripts %q; want 2", found)
	}
	for i, script := range found {
		found[i] = strings.NewReplacer("$$", "$", "/tmp/", dir+"/").Replace(script)
	}
	return found[0], found[1]
}

// container runs a script of docker-compose.yml, without a container, until the test ends. It must
// then end in good order at SIGTERM.
func container(t *testing.T, script, connect string) (stdout *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "ZK="+connect)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(10*time.Minute, func() { cmd.Process.Kill() }) // it compiles
	t.Cleanup(func() {
		defer guard.Stop()
		cmd.Process.Signal(syscall.SIGTERM)
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v; want it to end in good order", script, err)
		}
	})
	return bufio.NewScanner(out)
}

// until returns the first line that matches a pattern, its first group.
func until(t *testing.T, lines *bufio.Scanner, pattern string) string {
	t.Helper()
	p := regexp.MustCompile(pattern)
	for lines.Scan() {
		if m := p.FindStringSubmatch(lines.Text()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("no line with %s before the end", pattern)
	return ""
}

func TestTheProgramsOfTheComposeFileShowAnElection(t *testing.T) {
	notInShort(t)
	e := zktest.Start(t, zktest.Config{Servers: 3, Tick: time.Second, Logf: func(string, ...any) {}})
	candidate, status := commands(t, t.TempDir())
	id := until(t, container(t, candidate, e.ConnectString()), `"id":"([^"]+)","event":"elected"`)
	status = strings.Replace(status, "-listen :8080", "-listen 127.0.0.1:0", 1)
	url := until(t, container(t, status, e.ConnectString()), `(http://127\S+)`)
	body := ""
	await.Until(t, "page that shows "+id, func() bool {
		body = get(t, url+"?format=json")
		return strings.Contains(body, fmt.Sprintf(`"leader":{"id":%q`, id))
	}, func() any { return body })
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	return string(body)
}
