package session

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A server that ends a session writes the paths of all its ephemeral znodes into one
// transaction. If that is larger than the servers read back, the ensemble loses its quorum for
// good, and a restart does not help (ZOOKEEPER-4306, since 3.6.0). By default they read up to
// 2 MiB: jute.maxbuffer and jute.maxbuffer.extrasize. So a session counts the bytes.

const (
	defaultEphemeralBytes = 1 << 20
	// sequenceSize is the number that a server puts behind a sequential name.
	sequenceSize = 10
	// pathOverhead is the length that stands before each path.
	pathOverhead = 4
)

// ephemerals are the paths of a session's ephemeral znodes, as far as this client has created
// them and no later answer or event says that they are gone. The session's mu guards it.
type ephemerals struct {
	paths map[string]birth
	bytes int
	told  bool // that there are many
}

// birth tells when a beat created a znode. It is zero if no beat did.
type birth struct {
	begun clock.Instant // when the beat began
	zxid  int64         // at which it was committed
}

func (e *ephemerals) add(path string) {
	if _, ok := e.paths[path]; ok {
		return
	}
	if e.paths == nil {
		e.paths = map[string]birth{}
	}
	e.paths[path] = birth{}
	e.bytes += pathOverhead + len(path)
}

func (e *ephemerals) remove(path string) {
	if _, ok := e.paths[path]; ok {
		delete(e.paths, path)
		e.bytes -= pathOverhead + len(path)
	}
}

// leastEphemerals returns how many bytes a session needs for a heartbeat and a place with the shortest path.
func leastEphemerals(chroot, beats string) int {
	heartbeat := chroot + join(beats, strings.Repeat("f", 16))
	place := Place{Dir: chroot + "/x"}.prefix(newGUID(8))
	return 2*(pathOverhead+sequenceSize) + len(heartbeat) + len(place)
}

// neverFits is the error of creates for which there is no room even in a session without other
// ephemeral znodes.
type neverFits struct{ error }

func (neverFits) Unwrap() []error { return []error{ErrTooManyEphemerals, zk.ErrBadArguments} }

// room refuses creates of ephemeral znodes for which there is no room. The operations have the
// chroot before their paths.
func (s *Session) room(ops []wire.Op) error {
	more := 0
	for _, op := range ops {
		if op.Kind == wire.OpCreate && op.Flags&zk.FlagEphemeral != 0 {
			more += pathOverhead + len(op.Path) + sequenceSize
		}
	}
	if more == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.cfg.EphemeralBytes
	if more > limit {
		return neverFits{fmt.Errorf("%w: these alone take %d bytes; want Config.EphemeralBytes to be at least that, and not %d",
			ErrTooManyEphemerals, more, limit)}
	}
	if s.ephemerals.bytes+more > limit {
		return fmt.Errorf("%w: the paths of %d have %d bytes; want at most %d, Config.EphemeralBytes: use another Client for more",
			ErrTooManyEphemerals, len(s.ephemerals.paths), s.ephemerals.bytes, limit)
	}
	if !s.ephemerals.told && s.ephemerals.bytes+more > limit*3/4 {
		s.ephemerals.told = true
		s.note(slog.LevelWarn, "this session has many ephemeral znodes", "bytes", s.ephemerals.bytes+more, "most", limit)
	}
	return nil
}

// onCreated and onMissing note what answers say, in their order: this session has created a znode, or
// there is no znode at the path. The path has the chroot before it. A missing znode may be the answer to a
// second deletion, after the answer to the first was lost. A watch of this session that waits for the
// created znode gets a signal, because no watch at a server waits for it.
func (s *Session) onCreated(path string, ephemeral bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches[path] {
		signal(w.wake)
	}
	if ephemeral {
		s.ephemerals.add(path)
	}
	if path == s.chroot {
		s.note(slog.LevelWarn, "the chroot was missing and has been created: is it spelled right in the connect string? Clients with different chroots do not see each other",
			"chroot", path)
	}
}

func (s *Session) onMissing(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ephemerals.remove(path)
}
