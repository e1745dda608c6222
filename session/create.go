package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/retry"
)

// protectedPrefix begins the names of protected znodes, as in Apache Curator.
const protectedPrefix = "_c_"

// CreateProtected creates an ephemeral sequential znode in dir that cannot get lost. Its name,
// _c_<GUID>-<name><sequence>, is unique. So after a lost answer the znode is found again, and is
// not left behind. Only a znode that belongs to this session counts as found. A missing dir is
// created, with its parents; a nil acl means the configured one. The first such znode of a session
// is created together with the session's heartbeat. If the answer to that is lost, and the
// heartbeat is not there afterwards, the session is over.
//
// If ctx ends first, CreateProtected returns an error, and there is no znode: if the create has
// happened, or happens later, the znode is deleted in the background. If the deletion is refused,
// the session is ended.
func (s *Session) CreateProtected(ctx context.Context, dir, name string, data []byte, acl []zk.ACL) (string, error) {
	return single(s.createGuarded(ctx, &protected{places: []Place{{Dir: dir, Name: name, Data: data, ACL: acl}}, ensure: true}))
}

// CreatePlace is [Session.CreateProtected] for a znode that a [Hold] will keep. The place's name
// has a UUID of version 8. By that, others know that the session beats while it holds the place,
// and take over from a session that does not beat. A missing dir is an error, zk.ErrNoNode. A
// missing directory of the heartbeats is created. See also [Session.SeeThrough].
func (s *Session) CreatePlace(ctx context.Context, dir, name string, data []byte, acl []zk.ACL) (string, error) {
	return single(s.createGuarded(ctx, &protected{places: []Place{{Dir: dir, Name: name, Data: data, ACL: acl}}}))
}

// Place is what [Session.CreatePlaces] creates: a znode whose name begins with Name, in Dir.
type Place struct {
	Dir, Name string
	Data      []byte
	ACL       []zk.ACL
	// Sent, if set, is called each time a beat with the create has been sent. It must not block,
	// because it may run in the goroutine that reads all answers of the session. A server answers
	// the requests on one connection in order. So a read that Sent sends, see
	// [Session.AskChildren], is usually answered right after the create, and shows the znode. If
	// the read does not show the znode, that tells nothing: the connection was lost between the
	// two, or the create has failed and may be tried again.
	Sent func()
}

// CreatePlaces is [Session.CreatePlace] for several places, each in a directory of its own. All are
// created at one zxid, or none is created. If no other beat is under way, a beat carries the
// creates. Then the places have a lease from the beginning, and need no other beat before they are
// held.
func (s *Session) CreatePlaces(ctx context.Context, places ...Place) ([]string, error) {
	return s.createGuarded(ctx, &protected{places: places, beat: true})
}

// seenThrough is how long SeeThrough waits, after the context has ended, for the answer to a create
// or a departure.
const seenThrough = 3 * time.Second

// SeeThrough returns a context that ends 3 s after ctx. A candidate that may give up uses it for
// CreatePlace, CreatePlaces and its departure. After the end of ctx no create begins, but a create
// that is under way still waits for its answer. A candidate that knows its znode can delete it with
// an announcement. Then nobody waits for a lease because of it. If there is no connection when ctx
// ends, the context ends with ctx, because nobody knows when an answer will come. The same is true
// for contexts that are derived from it. Call end when the context is not needed any more.
func (s *Session) SeeThrough(ctx context.Context) (through context.Context, end func()) {
	through, cancel := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), wantedKey{}, ctx))
	stop := context.AfterFunc(ctx, func() {
		if s.State() == StateConnected {
			_ = clock.Sleep(through, s.clock, seenThrough)
		}
		cancel(context.Cause(ctx))
	})
	return through, func() { stop(); cancel(nil) }
}

// wantedKey is for the context that was given to SeeThrough. When it has ended, no create begins.
type wantedKey struct{}

// wanted returns that context, or ctx itself if ctx does not come from SeeThrough.
func wanted(ctx context.Context) context.Context {
	if w, ok := ctx.Value(wantedKey{}).(context.Context); ok {
		return w
	}
	return ctx
}

// protected is what a protected create creates.
type protected struct {
	places []Place
	ensure bool // a missing directory is created, and no Hold keeps the znode
	beat   bool // a beat may carry the creates

	failed atomic.Pointer[error] // why the latest attempt failed

	alone       bool // not in a batch any more
	connections int  // that were lost by requests that a server may find too large
}

func single(paths []string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

const (
	// largeData is a size of data that a server may refuse, if somebody has set its limit.
	largeData = 8 << 10
	// maxLost is how many connections the attempts to create a znode with such data may cost.
	maxLost = 2
)

// large reports whether a server may find the data too large.
func (p *protected) large() bool {
	n := 0
	for _, place := range p.places {
		n += len(place.Data)
	}
	return n >= largeData
}

// creates returns the operations that create the znodes, with this GUID in the names.
func (p *protected) creates(guid string) (ops []any) {
	for _, place := range p.places {
		ops = append(ops, &zk.CreateRequest{Path: place.prefix(guid), Data: place.Data, Flags: placeFlags, Acl: place.ACL})
	}
	return ops
}

const placeFlags = zk.FlagEphemeral | zk.FlagSequence

// prefix returns the path of a place without the number at its end.
func (p Place) prefix(guid string) string { return join(p.Dir, protectedPrefix+guid+"-"+p.Name) }

// check refuses places that the search after a lost answer would not find.
func (p *protected) check() error {
	if len(p.places) == 0 {
		return errors.New("session: no places")
	}
	dirs := map[string]bool{}
	for _, place := range p.places {
		if err := CheckPath(place.Dir); err != nil {
			return err
		}
		if strings.Contains(place.Name, "/") { // the parent would have the GUID of one attempt, so it would never exist
			return badPath{fmt.Errorf("name %q has a slash", place.Name)}
		}
		if dirs[place.Dir] {
			return badPath{fmt.Errorf("two places in %s", place.Dir)}
		}
		dirs[place.Dir] = true
	}
	return nil
}

// lost notes why an attempt failed.
func (p *protected) lost(err error) { p.failed.Store(&err) }

// fail returns the error of a create that has not happened because of cause. It also says why the
// latest attempt failed, unless cause was the reason.
func (p *protected) fail(cause error) error {
	if failed := p.failed.Load(); failed != nil && !errors.Is(*failed, cause) {
		cause = fmt.Errorf("%w (%v)", cause, *failed)
	}
	dir := ""
	if len(p.places) > 0 {
		dir = p.places[0].Dir
	}
	return &Error{Op: "create", Path: dir, Outcome: OutcomeNotDone, Err: cause}
}

func (s *Session) createGuarded(ctx context.Context, p *protected) ([]string, error) {
	if err := p.check(); err != nil {
		return nil, p.fail(err)
	}
	if err := s.begin(wanted(ctx)); err != nil {
		return nil, p.fail(err)
	}
	first := s.createByBeat(p, p.newGUID())
	if paths := first.await(ctx, s.ctx); paths != nil {
		s.calls.Done()
		return paths, nil
	}
	type result struct {
		paths []string
		err   error
	}
	// Either the caller gets the result, or it has returned and the znodes are deleted; never both.
	handOver := make(chan result)
	go func() {
		defer s.calls.Done()
		paths, err := s.createProtected(wanted(ctx), p, first)
		select {
		case handOver <- result{paths, err}:
		case <-ctx.Done():
			for _, path := range paths {
				s.removeOrEnd(path)
			}
		case <-s.ctx.Done():
		}
	}()
	select {
	case r := <-handOver:
		return r.paths, r.err
	case <-ctx.Done():
		return nil, p.fail(endOf(ctx))
	case <-s.ctx.Done():
		return nil, p.fail(endOf(s.ctx))
	}
}

// createProtected tries until the outcome of an attempt is known. It looks at ctx only between
// attempts: once an attempt is made, it is followed to its end. first is the attempt by a beat that
// the caller has made, or nil.
func (s *Session) createProtected(ctx context.Context, p *protected, first *beatCreates) ([]string, error) {
	for pause := retry.New(s.clock, firstRetry, longestRetry); ; first = nil {
		paths, again, err := s.createOnce(ctx, p, first)
		if !again {
			return paths, err
		}
		if err != errAgain && s.rest(ctx, pause) != nil {
			return nil, p.fail(endOf(ctx))
		}
	}
}

// createOnce makes one attempt, or takes up the first, and finds out what has become of it. If
// again is true, nothing was created, and another attempt may help.
func (s *Session) createOnce(ctx context.Context, p *protected, first *beatCreates) (paths []string, again bool, err error) {
	var guid string
	if first != nil {
		guid = first.guid
		paths, err = first.answer()
	} else {
		if err := s.awaitUp(ctx); err != nil {
			return nil, false, p.fail(err)
		}
		if ctx.Err() != nil {
			return nil, false, p.fail(endOf(ctx))
		}
		// A new GUID for every attempt: an earlier one that is carried out late cannot be taken for
		// this one.
		guid = p.newGUID()
		paths, err = s.attempt(ctx, p, guid)
	}
	if err == nil || err == errAgain {
		return paths, err != nil, err
	}
	p.lost(err)
	again = retryable(err)
	if errors.Is(err, zk.ErrConnectionClosed) && p.large() {
		p.connections++
	}
	if OutcomeOf(err) == OutcomeUnknown {
		if paths, lost := s.findAll(p, guid); lost != nil || paths != nil {
			return paths, false, lost
		}
		// A server that takes only small requests never answers a large one. Each attempt then
		// costs the connection, for all who use this session.
		again = (again || !p.alone) && p.connections < maxLost
		p.alone = true
	}
	if errors.Is(err, zk.ErrNoNode) && p.ensure {
		if missing := s.EnsurePath(ctx, p.places[0].Dir, p.places[0].ACL); missing != nil {
			return nil, false, p.fail(missing)
		}
		again = true
	}
	return nil, again, err
}

// attempt makes one attempt to create protected znodes. The first places of a session are created
// together with its heartbeat. Others are created by a beat, or in a batch if there are many.
func (s *Session) attempt(ctx context.Context, p *protected, guid string) ([]string, error) {
	first, done, err := s.awaitHeartbeat(ctx)
	if err != nil {
		return nil, p.fail(err)
	}
	if first {
		defer done()
		if !p.large() {
			return s.createFirst(p.lost, p.creates(guid)...)
		}
		if _, err := s.createFirst(p.lost); err != nil {
			return nil, err
		}
	}
	if b := s.createByBeat(p, guid); b != nil {
		return b.answer()
	}
	ops := p.creates(guid)
	if p.alone || len(p.places) > 1 {
		return s.createFenced(ctx, ops)
	}
	alone := func() (string, error) { return single(s.createFenced(ctx, ops)) }
	place := p.places[0]
	path, err := s.creates.do(s.ctx, &pending{op: "create", path: place.prefix(guid), dir: place.Dir, ops: ops, alone: alone})
	return []string{path}, err
}

// findAll looks for the znodes of an attempt whose answer was lost. All of them are there, or none,
// unless somebody has deleted some of them since. Then findAll deletes the others, too. Before the
// Fence has ended, the attempt may still be carried out.
func (s *Session) findAll(p *protected, guid string) (paths []string, err error) {
	if err := s.Fence(s.ctx); err != nil {
		s.mayBeLeft(p.places[0].Dir, err)
		return nil, err
	}
	for _, place := range p.places {
		path, err := s.findOwn(place.Dir, protectedPrefix+guid+"-"+place.Name)
		if err != nil {
			return nil, err
		}
		if path != "" {
			paths = append(paths, path)
		}
	}
	if len(paths) == len(p.places) {
		return paths, nil
	}
	for _, path := range paths {
		s.removeOrEnd(path)
	}
	return nil, nil
}

// mayBeLeft ends the session because a znode that nobody knows of may be left behind in dir.
func (s *Session) mayBeLeft(dir string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(fmt.Errorf("%w in %s: %w", ErrStray, dir, err))
}

// findOwn looks for the znode of an attempt whose answer was lost, after a Fence. The beat of the
// Fence was a write, so the reads after it show the znode, if there is one. A sync would not be
// enough: a leader that was deposed and does not know it may answer a sync.
func (s *Session) findOwn(dir, prefix string) (path string, err error) {
	defer func() {
		if err != nil {
			s.mayBeLeft(dir, err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ephemerals.remove(perhaps(s.chroot+join(dir, prefix), 0))
	}()
	names, _, err := s.Children(s.ctx, dir)
	if errors.Is(err, zk.ErrNoNode) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		path := join(dir, name)
		stat, ok, err := s.Exists(s.ctx, path)
		if err != nil {
			return "", err
		}
		if ok && stat.EphemeralOwner == s.ID() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ephemerals.add(s.chroot + path)
			return path, nil
		}
	}
	return "", nil
}

// join returns the path of a child.
func join(dir, name string) string { return strings.TrimSuffix(dir, "/") + "/" + name }

// newGUID returns the GUID for an attempt. Version 8 of UUIDs (RFC 9562) is for private uses. Here
// it marks a place that a Hold keeps.
func (p *protected) newGUID() string {
	if p.ensure {
		return newGUID(4)
	}
	return newGUID(8)
}

// newGUID returns a random UUID.
func newGUID(version byte) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
