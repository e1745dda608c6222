package session

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A server that ends a session writes the paths of all its ephemeral znodes into one transaction.
// If that is larger than the servers read back, the ensemble loses its quorum for good, and a
// restart does not help (ZOOKEEPER-4306, since 3.6.0). By default servers read up to 2 MiB:
// jute.maxbuffer and jute.maxbuffer.extrasize. So a session counts the bytes.

const (
	defaultEphemeralBytes = 1 << 20
	// sequenceSize is the length of the number that a server appends to a sequential name.
	sequenceSize = 10
	// pathOverhead is the size of the length field before each path.
	pathOverhead = 4
)

// ephemerals has the paths of a session's ephemeral znodes. It has those that this client has
// created, or may have created, unless a later answer or event says that they are gone. The
// session's mu guards it.
type ephemerals struct {
	paths    map[string]creation
	bytes    int
	reserved int  // bytes of creates that are not answered yet
	warned   bool // that there are many
}

// creation tells when a beat created a znode. It is zero if no beat did.
type creation struct {
	begun clock.Instant // when the beat began
	zxid  int64         // at which it was committed
}

func (e *ephemerals) add(path string) {
	if _, ok := e.paths[path]; ok {
		return
	}
	if e.paths == nil {
		e.paths = map[string]creation{}
	}
	e.paths[path] = creation{}
	e.bytes += pathOverhead + len(path)
}

func (e *ephemerals) remove(path string) {
	if _, ok := e.paths[path]; ok {
		delete(e.paths, path)
		e.bytes -= pathOverhead + len(path)
	}
}

// leastEphemerals returns how many bytes a session needs for a heartbeat and a place with the
// shortest path.
func leastEphemerals(chroot, beats string) int {
	heartbeat := chroot + join(beats, strings.Repeat("f", 16))
	place := Place{Dir: chroot + "/x"}.prefix(newGUID(8))
	return 2*(pathOverhead+sequenceSize) + len(heartbeat) + len(place)
}

// neverFits is the error of creates that need more room than a session without other ephemeral
// znodes has.
type neverFits struct{ error }

func (neverFits) Unwrap() []error { return []error{ErrTooManyEphemerals, zk.ErrBadArguments} }

// ephemeralBytes is how many bytes of paths a request may add.
func ephemeralBytes(ops []wire.Op) (n int) {
	for _, op := range ops {
		if createsEphemeral(op) {
			n += pathOverhead + len(op.Path) + sequenceSize
		}
	}
	return n
}

func createsEphemeral(op wire.Op) bool {
	return op.Kind == wire.OpCreate && op.Flags&zk.FlagEphemeral != 0
}

// perhaps returns the path that is counted for a sequential znode whose create was not answered: it
// is as long as the znode's. lost is how many others with this prefix there are.
func perhaps(prefix string, lost int) string {
	return fmt.Sprintf("%s?%0*d", prefix, sequenceSize-1, lost)
}

// addPerhaps adds a znode whose create was not answered.
func (e *ephemerals) addPerhaps(create wire.Op) {
	path := create.Path
	if create.Flags&zk.FlagSequence != 0 {
		for lost, there := 0, true; there; lost++ {
			path = perhaps(create.Path, lost)
			_, there = e.paths[path]
		}
	}
	e.add(path)
}

// reserve refuses creates of ephemeral znodes if there is no room for them. Otherwise it reserves
// the room until they are answered: a thousand requests may be under way, and all may be carried
// out. The paths of the operations begin with the chroot. The caller holds s.mu.
func (s *Session) reserve(ops []wire.Op) error {
	more, limit, e := ephemeralBytes(ops), s.cfg.EphemeralBytes, &s.ephemerals
	if more > limit {
		return neverFits{fmt.Errorf("%w: these alone take %d bytes; want Config.EphemeralBytes to be at least that, and not %d",
			ErrTooManyEphemerals, more, limit)}
	}
	used := e.bytes + e.reserved
	if used+more > limit {
		return fmt.Errorf("%w: the paths of %d have %d bytes, with those that are being created; want at most %d, Config.EphemeralBytes: use another Client for more",
			ErrTooManyEphemerals, len(e.paths), used, limit)
	}
	e.reserved += more
	if !e.warned && used+more > limit*3/4 {
		e.warned = true
		s.note(slog.LevelWarn, "this session has many ephemeral znodes", "bytes", used+more, "most", limit)
	}
	return nil
}

// learn notes what an answer says about znodes. It is called for the answers in their order, each
// time before the caller gets the answer. If a Watch of this session waits for a znode that was
// created, learn sends it a signal, because no watch at a server waits for that znode.
func (s *Session) learn(r *wire.Request, a wire.Answer) {
	all, reserved := changes(r, a), ephemeralBytes(r.Ops)
	if len(all) == 0 && reserved == 0 {
		return
	}
	unknown := reserved > 0 && OutcomeOf(s.errorOf(a)) == OutcomeUnknown
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ephemerals.reserved -= reserved
	for _, op := range r.Ops {
		if unknown && createsEphemeral(op) {
			s.ephemerals.addPerhaps(op)
		}
	}
	for _, c := range all {
		if !c.created {
			s.ephemerals.remove(c.path)
			continue
		}
		for w := range s.watches[c.path] {
			notify.Signal(w.wake)
		}
		if c.ephemeral {
			s.ephemerals.add(c.path)
		}
		if c.path == s.chroot {
			s.note(slog.LevelWarn, "the chroot was missing and has been created: is it spelled right in the connect string? Clients with different chroots do not see each other",
				"chroot", c.path)
		}
	}
}

// A change is a znode that the session has created, or a path at which there is none.
type change struct {
	path               string
	created, ephemeral bool
}

// changes returns what the answer to r says about znodes, as far as it is certain.
func changes(r *wire.Request, a wire.Answer) (all []change) {
	if a.Lost || r.Multi && a.Code != 0 {
		return nil
	}
	for i, result := range a.Results {
		if result.Code != 0 { // nothing of the multi was carried out, and this operation says why
			return refusedFor(r.Ops[:i], r.Ops[i], result.Code)
		}
	}
	for i, op := range r.Ops {
		switch {
		case a.Code != 0:
			all = refusedFor(nil, op, a.Code)
		case op.Kind == wire.OpCreate:
			all = append(all, change{a.Results[i].Path, true, createsEphemeral(op)})
		case op.Kind == wire.OpDelete:
			all = append(all, change{path: op.Path})
		}
	}
	return all
}

// refusedFor returns what the error of an operation says about znodes. If a create fails because a
// znode is missing, the missing znode is the parent. If an operation before it deletes the same
// znode, the error says nothing, because that operation was not carried out either. A deletion can
// find the znode missing because an earlier deletion has happened, whose answer was lost.
func refusedFor(before []wire.Op, op wire.Op, code int32) []change {
	deletes := func(o wire.Op) bool { return o.Kind == wire.OpDelete && o.Path == op.Path }
	if codeError(code) != zk.ErrNoNode || op.Kind == wire.OpCreate || slices.ContainsFunc(before, deletes) {
		return nil
	}
	return []change{{path: op.Path}}
}
