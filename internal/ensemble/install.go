package ensemble

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/ensemble/release"
)

// ErrUnavailable says that this machine has no ZooKeeper to run: no ZK_SERVERS, and no Java or no
// jars.
var ErrUnavailable = errors.New("no ZooKeeper on this machine")

// debianJars are the jars the servers need from Debian. The manifest of zookeeper.jar names the
// rest, but not a logging backend, nor all of netty, which secureClientPort needs.
var debianJars = []string{
	"zookeeper.jar", "slf4j-simple.jar", "netty-codec.jar", "netty-resolver.jar",
	"netty-transport-native-unix-common.jar", "netty-handler.jar", "netty-transport.jar", "netty-buffer.jar",
	"netty-common.jar",
}

const debianDir = "/usr/share/java"

// Available reports whether Start can find a ZooKeeper: nil, or an error that wraps ErrUnavailable
// and says what is missing. It starts nothing, but may fetch a release.
func Available() error { return Has("") }

// Has is Available for the servers of one release.
func Has(version string) error {
	if os.Getenv("ZK_SERVERS") != "" {
		if version != "" {
			return fmt.Errorf("%w that is of release %s for certain: ZK_SERVERS is set", ErrUnavailable, version)
		}
		return nil
	}
	_, err := findInstall(version)
	return err
}

// install is what it takes to run a server.
type install struct {
	java      string
	classpath []string
}

// findInstall finds the release of a Config.
func findInstall(version string) (install, error) {
	java, err := findJava()
	if err != nil {
		return install{}, err
	}
	jars, err := findJars(cmp.Or(version, os.Getenv("ZOOKEEPER_VERSION")))
	return install{java, jars}, err
}

func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if java, err := exec.LookPath(filepath.Join(home, "bin", "java")); err == nil {
			return java, nil
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w: no java in JAVA_HOME or PATH", ErrUnavailable)
	}
	return java, nil
}

func findJars(version string) ([]string, error) {
	if version != "" {
		jars, err := release.Jars(version)
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return jars, err
	}
	if home := os.Getenv("ZOOKEEPER_HOME"); home != "" {
		jars, _ := filepath.Glob(filepath.Join(home, "lib", "*.jar"))
		if len(jars) == 0 {
			return nil, fmt.Errorf("%w: no lib/*.jar in ZOOKEEPER_HOME (%s)", ErrUnavailable, home)
		}
		return jars, nil
	}
	if _, err := os.Stat(filepath.Join(debianDir, "zookeeper.jar")); err != nil {
		return nil, fmt.Errorf("%w: ZOOKEEPER_HOME is not set and Debian's package zookeeper is not installed",
			ErrUnavailable)
	}
	var jars []string
	for _, name := range debianJars {
		jars = append(jars, filepath.Join(debianDir, name))
	}
	return jars, nil
}

// argv returns the command line of a server whose files are in dir. The flags trade peak speed and
// heap for a fast start.
func (in install) argv(dir string, jvm []string) []string {
	classpath := strings.Join(append([]string{dir}, in.classpath...), string(os.PathListSeparator))
	argv := []string{
		in.java, "-Xms64m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-XX:-UsePerfData", "-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-Dorg.slf4j.simpleLogger.showShortLogName=true",
	}
	argv = append(argv, jvm...)
	return append(argv, "-cp", classpath, "org.apache.zookeeper.server.quorum.QuorumPeerMain",
		filepath.Join(dir, "zoo.cfg"))
}
