//go:build linux

package compose

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/ensemble/release"
)

// standIn makes a stand-in for an official image.
func (e *engine) standIn(ctx context.Context, image string) error {
	name, version, _ := strings.Cut(image, ":")
	var build func(context.Context, *rootfs, string) error
	var changes []string
	switch name {
	case "zookeeper":
		build, changes = e.zookeeper, zookeeperChanges(version)
	case "golang":
		build, changes = e.golang, golangChanges(version)
	default:
		return fmt.Errorf("nobody knows how to make a stand-in for image %s", image)
	}
	argv := []string{"docker", "import"}
	for _, change := range changes {
		argv = append(argv, "--change", change)
	}
	read, write := io.Pipe()
	built := make(chan error, 1)
	go func() {
		r := newRootfs(write)
		err := build(ctx, r, version)
		err = errors.Join(err, r.close())
		write.CloseWithError(err)
		built <- err
	}()
	_, err := e.feed(ctx, read, append(argv, "-", image)...)
	read.Close()
	if err := errors.Join(<-built, err); err != nil {
		return fmt.Errorf("stand-in for %s: %w", image, err)
	}
	return nil
}

// base are the packages that every image has.
var base = []string{"bash", "coreutils", "grep", "sed", "hostname"}

// entrypoint writes a server's configuration from the environment.
//
//go:embed testdata/docker-entrypoint.sh
var entrypoint string

// zkEnv tells Debian's zkServer.sh where things are in the official image.
//
//go:embed testdata/zkEnv.sh
var zkEnv string

func zookeeperHome(version string) string { return "/apache-zookeeper-" + version + "-bin" }

func zookeeperChanges(version string) []string {
	return []string{
		"ENV ZOO_CONF_DIR=/conf ZOO_DATA_DIR=/data ZOO_DATA_LOG_DIR=/datalog ZOO_LOG_DIR=/logs",
		"ENV ZOO_TICK_TIME=2000 ZOO_INIT_LIMIT=5 ZOO_SYNC_LIMIT=2 ZOO_MAX_CLIENT_CNXNS=60",
		"ENV ZOO_AUTOPURGE_PURGEINTERVAL=0 ZOO_AUTOPURGE_SNAPRETAINCOUNT=3 ZOO_STANDALONE_ENABLED=true ZOO_ADMINSERVER_ENABLED=true",
		"ENV PATH=" + zookeeperHome(version) + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"VOLUME /data /datalog /logs",
		"EXPOSE 2181 2888 3888 8080",
		"WORKDIR " + zookeeperHome(version),
		`ENTRYPOINT ["/docker-entrypoint.sh"]`,
		`CMD ["zkServer.sh", "start-foreground"]`,
	}
}

// zookeeper fills the stand-in for zookeeper:<version>: the jars of that version, with Debian's
// Java.
func (e *engine) zookeeper(ctx context.Context, r *rootfs, version string) error {
	jars, err := release.Jars(version)
	if err != nil {
		return err
	}
	java, err := exec.LookPath("java")
	if err == nil {
		java, err = filepath.EvalSymlinks(java)
	}
	if err != nil {
		return err
	}
	owner, err := e.run(ctx, "dpkg", "-S", java)
	if err != nil {
		return err
	}
	jre, _, _ := strings.Cut(owner, ":")
	r.debian(ctx, e, append([]string{jre}, base...)...)
	home := zookeeperHome(version)
	for _, jar := range jars {
		r.copy(jar, path.Join(home, "lib", filepath.Base(jar)))
	}
	r.copy("/usr/share/zookeeper/bin/zkServer.sh", home+"/bin/zkServer.sh")
	r.file(home+"/libexec/zkEnv.sh", 0o644, zkEnv)
	r.link("/usr/local/bin/java", java)
	r.file("/docker-entrypoint.sh", 0o755, entrypoint)
	for _, dir := range []string{"/conf", "/data", "/datalog", "/logs"} {
		r.dir(dir, 0o755)
	}
	return nil
}

func golangChanges(version string) []string {
	return []string{
		"ENV GOLANG_VERSION=" + version + " GOTOOLCHAIN=local GOPATH=/go",
		"ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"WORKDIR /go",
		`CMD ["bash"]`,
	}
}

// goOf returns the go command of a toolchain, which is fetched if it is not this one, with some
// settings.
func goOf(version string, settings ...string) []string {
	return slices.Concat([]string{"env", "GOTOOLCHAIN=go" + version, "CGO_ENABLED=0"}, settings, []string{"go"})
}

// golang fills the stand-in for golang:<version>: that toolchain, and the modules that the programs
// need. The official image has no modules, but its containers reach a proxy.
func (e *engine) golang(ctx context.Context, r *rootfs, version string) error {
	out, err := e.run(ctx, append(goOf(version), "env", "GOROOT", "GOMODCACHE")...)
	if err != nil {
		return err
	}
	goroot, modules, _ := strings.Cut(strings.TrimSpace(out), "\n")
	r.debian(ctx, e, append([]string{"curl"}, base...)...)
	r.tree(goroot, "/usr/local/go", func(name string) bool {
		return name == "test" || name == "api" || name == "doc" || path.Base(name) == "testdata" || strings.HasSuffix(name, "_test.go")
	})
	dir, err := os.MkdirTemp("", "modules")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	list := goOf(version, "GOMODCACHE="+dir, "GOFLAGS=-modcacherw", "GOPROXY=file://"+filepath.Join(modules, "cache", "download"))
	if _, err := e.run(ctx, append(list, "list", "-deps", "./examples/...")...); err != nil {
		return err
	}
	r.tree(dir, "/go/pkg/mod", nil)
	return nil
}

// obtain fetches what the stand-ins are made of, as long as there is a way to the outside: from an
// isolated process there is none.
func obtain(ctx context.Context) error {
	all, err := images()
	for _, image := range all {
		name, version, _ := strings.Cut(image, ":")
		switch name {
		case "zookeeper":
			_, err2 := release.Jars(version)
			err = errors.Join(err, err2)
		case "golang":
			_, err2 := new(engine).run(ctx, append(goOf(version), "list", "-deps", "./examples/...")...)
			err = errors.Join(err, err2)
		}
	}
	return err
}
