package journal

import (
	"cmp"
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
	made    bool // it was created, but somebody may have deleted it
	doubted bool // the answer to the create was lost
	version int32
}

// void is the number in a journal that was written alone.
const void = 0

func newName() string { return rand.Text() }

// open returns the journal to be used in a session. The journal is created before the first
// attempt. If an attempt created it, a copy of that attempt could be carried out after somebody has
// deleted the journal.
//
// An ephemeral journal is used only if its create was answered. Otherwise a copy of the create
// could be carried out after drop, and then copies of the first attempts would fit again. Such a
// copy leaves an empty znode until the session ends.
func (z *Znode) open(ctx context.Context, s *session.Session) (*book, error) {
	if z.book == nil || z.book.session != nil && z.book.session != s {
		z.book = z.newBook(s)
	}
	if z.book.made {
		return z.book, nil
	}
	if z.book.doubted {
		if err := s.EnsureDeleted(ctx, z.book.path); err != nil && !session.Permanent(err) {
			return nil, err
		}
		z.book = z.newBook(s)
	}
	if err := z.create(ctx, s, z.book); err != nil {
		z.book.doubted = z.book.session != nil && session.OutcomeOf(err) == session.OutcomeUnknown
		return nil, err
	}
	z.book.made = true
	return z.book, nil
}

// newBook chooses a name that no journal has had before, except for a durable journal, which an
// earlier run may have left.
func (z *Znode) newBook(s *session.Session) *book {
	switch {
	case z.cfg.Durable == "":
		return &book{session: s, path: z.cfg.Dir + "/" + z.cfg.Path[strings.LastIndexByte(z.cfg.Path, '/')+1:] + "-" + newName()}
	case z.deleted:
		return &book{path: z.cfg.Dir + "/" + z.cfg.Durable + "-" + newName()}
	}
	return &book{path: z.cfg.Dir + "/" + z.cfg.Durable}
}

// create makes a journal, or finds a durable one.
func (z *Znode) create(ctx context.Context, s *session.Session, b *book) error {
	flags := int32(zk.FlagEphemeral)
	if b.session == nil {
		flags = zk.FlagPersistent
		_, stat, err := s.Get(ctx, b.path)
		if b.version = stat.Version; !errors.Is(err, zk.ErrNoNode) {
			return err
		}
	}
	_, err := s.Create(ctx, b.path, nil, flags, z.cfg.ACL)
	if errors.Is(err, zk.ErrNoNode) {
		if err := s.EnsurePath(ctx, z.cfg.Dir, z.cfg.ACL); err != nil {
			return err
		}
		_, err = s.Create(ctx, b.path, nil, flags, z.cfg.ACL)
	}
	return err
}

// drop deletes the journal, unless it outlives the session. No other journal gets its name, and no
// copy of its create is on its way. So no copy of an attempt is carried out afterwards.
func (z *Znode) drop(ctx context.Context) error {
	b := z.book
	if b == nil || b.session == nil {
		return nil
	}
	if err := b.session.EnsureDeleted(ctx, b.path); err != nil && b.session.Err() == nil {
		return err
	}
	z.book = nil
	return nil
}

// entry returns the operations that write the journal. The last of them is a set, because its
// answer tells the transaction's zxid.
func (b *book) entry(mark string, acl []zk.ACL) []any {
	set := &zk.SetDataRequest{Path: b.path, Data: []byte(mark), Version: b.version}
	if !nearWrap(b.version) {
		return []any{set}
	}
	create := &zk.CreateRequest{Path: b.path, Acl: acl, Flags: zk.FlagEphemeral}
	if b.session == nil {
		create.Flags = zk.FlagPersistent
	}
	set.Version = 0
	return []any{&zk.DeleteRequest{Path: b.path, Version: b.version}, create, set}
}

// next is the version of the journal when an attempt has been carried out.
func (b *book) next() int32 {
	if nearWrap(b.version) {
		return 1
	}
	return b.version + 1
}

// mark is what the journal holds after an attempt.
func (z *Znode) mark(number uint64) string { return z.writer + " " + strconv.FormatUint(number, 10) }

// consult reads the journal when its version was not the one that an attempt expected.
func (z *Znode) consult(ctx context.Context, s *session.Session, b *book, a *attempt) (outcome, int64, error) {
	data, stat, err := s.Get(ctx, b.path)
	switch {
	case errors.Is(err, zk.ErrNoNode): // deleted by hand
		z.book, z.deleted = nil, true
		return a.absent(), 0, errGone
	case err != nil:
		return open, 0, err
	}
	next := b.next()
	b.version = stat.Version
	switch {
	case stat.Version != next:
		return a.absent(), 0, errOther
	case string(data) == z.mark(a.number):
		return applied, stat.Mzxid, nil
	}
	return a.excluded() // by a void, by an attempt whose outcome was unknown, or by somebody who uses a durable journal, too
}

// excluded is the outcome of an attempt when another write has ended j: neither the attempt nor a
// copy can be carried out any more.
func (a *attempt) excluded() (outcome, int64, error) {
	a.lost = false
	return over, 0, cmp.Or(a.why, errAgain)
}

// absent is the outcome of an attempt that the journal does not show.
func (a *attempt) absent() outcome {
	if a.lost {
		return unknown
	}
	return refused
}

var (
	errGone  = errors.New("the journal was deleted by somebody")
	errOther = errors.New("the journal was written by somebody else")
)
