package session

import (
	"strconv"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// heartWorld is a heartbeat, and what a hearing has been shown of it.
type heartWorld struct {
	now     time.Duration
	data    []string // by version
	deleted time.Duration

	shown    map[int32]time.Duration // when an answer first showed a version
	newest   int32
	gone     time.Duration // when an answer first showed that it is gone
	answered time.Duration // when the latest answer came
	heard    time.Duration // since then there was an answer at least every D/2
}

const notYet = -1

// answer returns the answer of a server whose state is lag versions old.
func (w *heartWorld) answer(lag int) (data string, stat zk.Stat, err error) {
	version := max(len(w.data)-1-lag, 0)
	if w.deleted != notYet && lag == 0 {
		return "", zk.Stat{}, zk.ErrNoNode
	}
	return w.data[version], zk.Stat{Czxid: 3, EphemeralOwner: theirID, Version: int32(version)}, nil
}

// tell passes an answer to the hearing, and notes what it shows.
func (w *heartWorld) tell(h *hearing, data string, stat zk.Stat, err error) {
	if w.now-w.answered > theirs/unansweredFor {
		w.heard = w.now
	}
	w.answered = w.now
	switch ours := stat.EphemeralOwner == theirID && stat.Czxid == 3; {
	case err == nil && ours && w.gone == notYet:
		if _, ok := w.shown[stat.Version]; !ok {
			w.shown[stat.Version] = w.now
		}
		w.newest = max(w.newest, stat.Version)
	case err == zk.ErrNoNode || err == nil && !ours:
		if len(w.shown) > 0 && w.gone == notYet {
			w.gone = w.now
		}
	}
	h.answer(at(w.now), []byte(data), stat, err, theirs)
}

// check demands that the hearing's conclusion is right.
func (w *heartWorld) check(t *testing.T, h *hearing, was Heartbeat) {
	long := Outlast(theirs)
	switch h.now.State {
	case HeartbeatUnseen:
		if len(w.shown) > 0 {
			t.Errorf("unseen, though %v were shown", w.shown)
		}
		return
	case HeartbeatSilent:
		if was.State != HeartbeatSilent && w.now-max(w.shown[h.now.Version], w.heard) < long {
			t.Errorf("silent at %v; version %d was shown at %v, heard since %v", w.now, h.now.Version, w.shown[h.now.Version], w.heard)
		}
	case HeartbeatGone:
		if w.gone == notYet || w.now-w.gone < long || h.now.LeaseTime != theirs {
			t.Errorf("gone at %v, first shown so at %v", w.now, w.gone)
		}
	case HeartbeatRevoked:
		if w.data[h.now.Version] != revokedAt(h.now.Version-1) {
			t.Errorf("revoked at version %d, which is %q", h.now.Version, w.data[h.now.Version])
		}
	}
	if h.now.Version < was.Version || h.now.Version != w.newest {
		t.Errorf("version %d after %d; shown were %v", h.now.Version, was.Version, w.shown)
	}
	if was.State == HeartbeatGone && h.now.State != HeartbeatGone {
		t.Errorf("%v after gone", h.now.State)
	}
}

func FuzzHearing(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1})
	f.Add([]byte("\x00\x01\x10\x21\x00\x01\x30\x12\x13\x14\x45\x16\x00\x07\x00\x05\x00\x00\x00"))
	f.Add([]byte{6, 0, 1, 0, 1, 0, 2, 0, 1, 7, 0, 3, 1, 4, 0, 1, 0, 5, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		w := &heartWorld{data: []string{theirs.String()}, deleted: notYet, gone: notYet, shown: map[int32]time.Duration{}}
		h := &hearing{owner: theirID}
		for _, b := range script {
			was, n := h.now, int(b>>4)
			switch b & 15 {
			case 0: // a read is answered
				data, stat, err := w.answer(0)
				w.tell(h, data, stat, err)
			case 1: // time passes, as between two reads
				w.now += theirs / listenEvery
			case 2: // a beat
				w.data = append(w.data, theirs.String())
			case 3: // a server that lags answers
				data, stat, err := w.answer(n)
				w.tell(h, data, stat, err)
			case 4: // it is deleted
				w.deleted = w.now
			case 5: // another stands in its place, of another session or created again
				stat := zk.Stat{Czxid: 9, Version: 5, EphemeralOwner: theirID}
				if len(w.shown) == 0 || n&1 == 0 {
					stat = zk.Stat{Czxid: 3, Version: 5, EphemeralOwner: theirID + 1}
				}
				w.tell(h, revokedAt(4), stat, nil)
			case 6: // it cannot be read
				w.tell(h, "", zk.Stat{}, zk.ErrNoAuth)
			case 7: // somebody takes over
				w.data = append(w.data, revokedAt(int32(len(w.data)-1)))
			case 8: // or writes something by hand
				by := []string{"revoked", "revoked 3", "1ms", strconv.Itoa(n)}[n&3]
				if by == "1ms" && h.now.LeaseTime == 0 {
					break // nobody could tell that it is not the session's own lease
				}
				w.data = append(w.data, by)
			case 9: // a long time passes
				w.now += time.Duration(n) * theirs / 4
			case 10: // a silence comes to its end
				w.now += Outlast(theirs) % (theirs / listenEvery)
			}
			w.check(t, h, was)
			if wait := h.next(at(w.now), theirs); wait <= 0 || wait > theirs/listenEvery {
				t.Errorf("the next read after %v", wait)
			}
		}
	})
}

// The other session's clock may run slower: its D may be up to 6 % longer.
func TestOutlastCoversClocksOfDifferentRates(t *testing.T) {
	for _, d := range []time.Duration{minLease, DefaultLease, maxTimeout / 2} {
		if got := Outlast(d); float64(got) < 1.06*float64(d) {
			t.Errorf("%v for %v", got, d)
		}
	}
	var now clock.Instant
	if !now.Add(Outlast(0)).Reached(now) {
		t.Error("nothing takes time")
	}
}
