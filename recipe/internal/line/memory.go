package line

import (
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// Memory is what the places of one caller in one line have learned of the line's record, so that
// the next place need not read it. A number that is over stays over. Before somebody changes the
// lease in a record, nobody may have stood in the line for two leases. So for one lease after a
// place stood there, the lease in the record is the same. The zero value knows nothing.
type Memory struct {
	mu      sync.Mutex // guards what follows
	session int64
	czxid   int64 // of the path: made again it is another one
	version int32
	record  record
	stood   clock.Instant // when the latest place that knew the record stood in line
	behind  bool          // the latest place had nobody ahead, and others had written the record since
}

// recall returns the record as it is known. It is current if nobody has written it since.
func (m *Memory) recall(s *session.Session, stat zk.Stat, now clock.Instant) (r record, current, ok bool) {
	if m == nil {
		return record{}, false, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != s.ID() || m.czxid != stat.Czxid || m.stood.Add(m.record.lease).Passed(now) {
		return record{}, false, false
	}
	return m.record, m.version == stat.Version, true
}

// follows reports whether a place that joins now follows another one within a lease. Then it may
// not need to read the record. behind reports whether that other place had nobody ahead, and others
// had written the record since. Then the next place is likely to need the record, too, and reads it
// together with the list.
func (m *Memory) follows(s *session.Session, now clock.Instant) (follows, behind bool) {
	if m == nil {
		return false, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session == s.ID() && !m.stood.Add(m.record.lease).Passed(now), m.behind
}

// fellBehind notes for the next place whether this one was behind.
func (m *Memory) fellBehind(behind bool) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.behind = behind
}

// keep notes the record as it was at this version, from a place that stood in line at stood.
func (m *Memory) keep(p *Place, r record, version int32, stood clock.Instant) {
	if m == nil || !p.ours {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session, m.czxid, m.version, m.record, m.stood = p.s.ID(), p.born, version, r, stood
}
