package session

import (
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// operation returns what one of zk's requests asks for.
func operation(op any) (wire.Op, error) {
	switch op := op.(type) {
	case *zk.CreateRequest:
		return wire.Op{Kind: wire.OpCreate, Path: op.Path, Data: op.Data, Flags: op.Flags, ACL: op.Acl}, nil
	case *zk.SetDataRequest:
		return wire.Op{Kind: wire.OpSetData, Path: op.Path, Data: op.Data, Version: op.Version}, nil
	case *zk.DeleteRequest:
		return wire.Op{Kind: wire.OpDelete, Path: op.Path, Version: op.Version}, nil
	case *zk.CheckVersionRequest:
		return wire.Op{Kind: wire.OpCheck, Path: op.Path, Version: op.Version}, nil
	}
	return wire.Op{}, fmt.Errorf("it is a %T; want *zk.CreateRequest, *zk.SetDataRequest, *zk.DeleteRequest or *zk.CheckVersionRequest", op)
}

// rooted returns the operations with paths that begin with the chroot.
func (s *Session) rooted(ops []any) ([]wire.Op, error) {
	rooted := make([]wire.Op, len(ops))
	for i, op := range ops {
		o, err := operation(op)
		if err == nil {
			o.Path, err = s.full(o.Path)
		}
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		if o.Kind == wire.OpCreate && o.ACL == nil {
			o.ACL = s.cfg.ACL
		}
		rooted[i] = o
	}
	return rooted, nil
}

// full puts the chroot before a path. It refuses a bad path, because the result could be a path
// outside of the chroot.
func (s *Session) full(path string) (string, error) {
	if err := CheckPath(path); err != nil {
		return "", err
	}
	if path == "/" && s.chroot != "" {
		return s.chroot, nil
	}
	return s.chroot + path, nil
}

// refused adds to the error of a multi the operation that has failed.
func (s *Session) refused(ops []wire.Op, results []wire.Result, err error) error {
	for i, r := range results {
		if r.Code == 0 || i >= len(ops) {
			continue
		}
		name := opNames[ops[i].Kind]
		return fmt.Errorf("%s %s: %w%s", name, strings.TrimPrefix(ops[i].Path, s.chroot), err, missing(name, err))
	}
	return err
}

// opNames are the operations of a multi in ZooKeeper's words.
var opNames = map[int32]string{wire.OpCreate: "create", wire.OpSetData: "setData", wire.OpDelete: "delete", wire.OpCheck: "check"}

// overhead is the room that is counted for the rest of an operation or an ACL: counts, flags,
// headers.
const overhead = 64

// size is about how many bytes an operation takes.
func size(op wire.Op) int {
	n := overhead + len(op.Path) + len(op.Data) + len(op.Body)
	for _, a := range op.ACL {
		n += overhead + len(a.Scheme) + len(a.ID)
	}
	return n
}

// sizes is about how many bytes a request takes.
func sizes(ops []wire.Op) int {
	n := overhead
	for _, op := range ops {
		n += size(op)
	}
	return n
}

// check refuses a request that is too long: a server would close the connection. It also reserves
// room for ephemeral znodes, and refuses the request if there is none. The paths of the operations
// begin with the chroot.
func (s *Session) check(ops []wire.Op) error {
	if n := sizes(ops); n > maxRequest {
		return fmt.Errorf("%w: about %d bytes; want at most %d", ErrTooLarge, n, maxRequest)
	}
	if ephemeralBytes(ops) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reserve(ops)
}
