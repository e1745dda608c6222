package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"
)

// rooted returns copies of the operations with the chroot before their paths.
func (s *Session) rooted(ops []any) ([]any, error) {
	rooted := make([]any, len(ops))
	for i, op := range ops {
		var err error
		switch op := op.(type) {
		case *zk.CreateRequest:
			c := *op
			if c.Path, err = s.full(c.Path); c.Acl == nil {
				c.Acl = s.cfg.ACL
			}
			rooted[i] = &c
		case *zk.SetDataRequest:
			c := *op
			c.Path, err = s.full(c.Path)
			rooted[i] = &c
		case *zk.DeleteRequest:
			c := *op
			c.Path, err = s.full(c.Path)
			rooted[i] = &c
		case *zk.CheckVersionRequest:
			c := *op
			c.Path, err = s.full(c.Path)
			rooted[i] = &c
		default:
			err = fmt.Errorf("it is a %T; want *zk.CreateRequest, *zk.SetDataRequest, *zk.DeleteRequest or *zk.CheckVersionRequest", op)
		}
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return rooted, nil
}

// full puts the chroot before a path, and refuses a bad path: the chroot must not become a part of
// something else.
func (s *Session) full(path string) (string, error) {
	if err := CheckPath(path); err != nil {
		return "", fmt.Errorf("%w: %w", zk.ErrInvalidPath, err)
	}
	if path == "/" && s.chroot != "" {
		return s.chroot, nil
	}
	return s.chroot + path, nil
}

// refused adds to the error of a multi which of its operations it is about.
func (s *Session) refused(ops []any, results []zk.MultiResponse, err error) error {
	for i, r := range results {
		if i >= len(ops) || r.Error == nil || !errors.Is(err, r.Error) {
			continue
		}
		name, path := describeOp(ops[i])
		return fmt.Errorf("%s %s: %w%s", name, strings.TrimPrefix(path, s.chroot), err, missing(name, err))
	}
	return err
}

// describeOp returns an operation's name and path.
func describeOp(op any) (name, path string) {
	switch op := op.(type) {
	case *zk.CreateRequest:
		return "create", op.Path
	case *zk.SetDataRequest:
		return "setData", op.Path
	case *zk.DeleteRequest:
		return "delete", op.Path
	case *zk.CheckVersionRequest:
		return "check", op.Path
	}
	return "", ""
}

// overhead is what is allowed for the rest of an operation or an ACL: counts, flags, headers.
const overhead = 64

// size is about how many bytes an operation takes.
func size(op any) int {
	n := overhead
	switch op := op.(type) {
	case *zk.CreateRequest:
		n += len(op.Path) + len(op.Data)
		for _, a := range op.Acl {
			n += overhead + len(a.Scheme) + len(a.ID)
		}
	case *zk.SetDataRequest:
		n += len(op.Path) + len(op.Data)
	case *zk.DeleteRequest:
		n += len(op.Path)
	case *zk.CheckVersionRequest:
		n += len(op.Path)
	}
	return n
}

// sizes is about how many bytes a request takes.
func sizes(ops []any) int {
	n := overhead
	for _, op := range ops {
		n += size(op)
	}
	return n
}

// checkSize refuses a request that no server takes: a server closes the connection on a longer one, and zk
// panics when the last flag of a request just misses its buffer.
func checkSize(ops ...any) error {
	if n := sizes(ops); n > maxRequest {
		return fmt.Errorf("%w: about %d bytes; want at most %d", ErrTooLarge, n, maxRequest)
	}
	return nil
}
