//go:build linux

package compose

import (
	"fmt"
	"path/filepath"
)

// serverJars returns the jars of a release of ZooKeeper.
func serverJars(version string) ([]string, error) {
	jars, err := filepath.Glob("/tmp/hold/zk-" + version + "/lib/*.jar")
	if err == nil && len(jars) == 0 {
		err = fmt.Errorf("no server %s", version)
	}
	return jars, err
}
