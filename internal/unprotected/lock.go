// Package unprotected has a lock that does only what every lock on ZooKeeper has to do. It shows
// what is possible: measurements compare other locks with it.
package unprotected

import (
	"errors"
	"slices"

	"github.com/go-zookeeper/zk"
)

// Lock is a lock without protection in a session: what it returns makes a znode, lists, watches the
// one before, and returns what deletes the znode. It works only if nobody fails or gives up.
func Lock(conn *zk.Conn, path string) (acquire func() (func() error, error), err error) {
	_, err = conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return nil, err
	}
	return func() (func() error, error) {
		flags := int32(zk.FlagEphemeral | zk.FlagSequence)
		own, err := conn.Create(path+"/floor-", nil, flags, zk.WorldACL(zk.PermAll))
		if err != nil {
			return nil, err
		}
		names, _, err := conn.Children(path)
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
		if before := slices.Index(names, own[len(path)+1:]) - 1; before >= 0 {
			there, _, gone, err := conn.ExistsW(path + "/" + names[before])
			if err != nil {
				return nil, err
			}
			if there {
				<-gone
			}
		}
		return func() error { return conn.Delete(own, -1) }, nil
	}, nil
}
