package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// A book is the journal znode, as its writer knows it.
type book struct {
	session *session.Session // that it belongs to; nil: it outlives sessions
	path    string
	exists  bool
	version int32
}

func newName() string { return rand.Text() }

// open returns the journal to be used in a session.
func (z *Znode) open(ctx context.Context, s *session.Session) (*book, error) {
	if z.book != nil && (z.book.session == s || z.book.session == nil) {
		return z.book, nil
	}
	// A read, as long as it is there. Were it found missing by an attempt, after a lost answer
	// nobody could tell whether it has always been.
	if _, ok, err := s.Exists(ctx, z.cfg.Dir); err != nil || !ok {
		if err := s.EnsurePath(ctx, z.cfg.Dir, z.cfg.ACL); err != nil {
			return nil, err
		}
	}
	if z.cfg.Durable == "" {
		name := z.cfg.Path[strings.LastIndexByte(z.cfg.Path, '/')+1:] + "-" + newName()
		z.book = &book{session: s, path: z.cfg.Dir + "/" + name}
		return z.book, nil
	}
	b := &book{path: z.cfg.Dir + "/" + z.cfg.Durable}
	_, stat, err := s.Get(ctx, b.path)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	b.exists, b.version = err == nil, stat.Version
	z.book = b
	return b, nil
}

// entry returns the operations that write the journal. The last of them is a set, because its
// answer tells the transaction's zxid.
func (b *book) entry(mark string, acl []zk.ACL) []any {
	set := &zk.SetDataRequest{Path: b.path, Data: []byte(mark), Version: b.version}
	if !b.renewed() {
		return []any{set}
	}
	create := &zk.CreateRequest{Path: b.path, Acl: acl, Flags: zk.FlagEphemeral}
	if b.session == nil {
		create.Flags = zk.FlagPersistent
	}
	set.Version = 0
	if b.exists {
		return []any{&zk.DeleteRequest{Path: b.path, Version: b.version}, create, set}
	}
	return []any{create, set}
}

// renewed reports whether the next entry creates the journal.
func (b *book) renewed() bool { return !b.exists || nearWrap(b.version) }

// next is the version of the journal when an attempt has been carried out.
func (b *book) next() int32 {
	if b.renewed() {
		return 1
	}
	return b.version + 1
}

// mark is what the journal holds after an attempt.
func (z *Znode) mark(number uint64) string { return z.writer + " " + strconv.FormatUint(number, 10) }

// consult reads the journal, when it was not as an attempt expected it.
func (z *Znode) consult(ctx context.Context, s *session.Session, b *book, a *attempt) (fate, int64, error) {
	data, stat, err := s.Get(ctx, b.path)
	switch {
	case errors.Is(err, zk.ErrNoNode): // deleted by hand
		z.book = nil
		return z.refuted(a), 0, errGone
	case err != nil:
		return open, 0, err
	}
	next := b.next()
	b.exists, b.version = true, stat.Version
	switch ours := strings.HasPrefix(string(data), z.writer+" "); {
	case stat.Version != next:
		return z.refuted(a), 0, errOther
	case string(data) == z.mark(a.number):
		return landed, stat.Mzxid, nil
	case ours:
		return unknown, 0, errEarlier
	}
	return refused, 0, errAgain // a durable journal that somebody else uses, too
}

// refuted is the fate of an attempt that the journal does not show.
func (z *Znode) refuted(a *attempt) fate {
	if a.lost {
		return unknown
	}
	return refused
}

var (
	errGone    = errors.New("the journal was deleted by somebody")
	errOther   = errors.New("the journal was written by somebody else")
	errEarlier = errors.New("the journal shows an earlier attempt: was the znode deleted and created again?")
)
