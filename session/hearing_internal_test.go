package session

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

const (
	theirs  = 1600 * time.Millisecond // the lease of the session that is listened to
	ours    = time.Second
	theirID = 7
)

// A reading is the answer to a read of the heartbeat, and the state that follows from it.
type reading struct {
	at      time.Duration
	data    string
	version int32
	want    HeartbeatState
	change  func(*zk.Stat)
	err     error
}

func (a reading) to(h *hearing) {
	stat := zk.Stat{Czxid: 3, EphemeralOwner: theirID, Version: a.version}
	if a.change != nil {
		a.change(&stat)
	}
	if a.err != nil {
		stat = zk.Stat{}
	}
	h.answer(at(a.at), []byte(a.data), stat, a.err, ours)
}

// steadily returns the same answer every D/8 from one instant to another.
func steadily(from, to time.Duration, version int32, want HeartbeatState) (all []reading) {
	for t := from; t <= to; t += theirs / listenEvery {
		all = append(all, reading{at: t, data: "1.6s", version: version, want: want})
	}
	return all
}

func then(parts ...[]reading) (all []reading) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func one(a reading) []reading { return []reading{a} }

func TestWhatIsHeardOfAHeartbeat(t *testing.T) {
	const over = theirs + theirs/16
	another := func(s *zk.Stat) { s.EphemeralOwner = 8 }
	again := func(s *zk.Stat) { s.Czxid = 4 }
	for name, answers := range map[string][]reading{
		"it is there": one(reading{data: "1.6s", want: HeartbeatBeating}),
		"silent only after 17/16 D": then(steadily(0, over-1, 5, HeartbeatBeating),
			one(reading{at: over - 1, data: "1.6s", version: 5, want: HeartbeatBeating}),
			one(reading{at: over, data: "1.6s", version: 5, want: HeartbeatSilent})),
		"a beat ends the silence": then(steadily(0, over-1, 5, HeartbeatBeating),
			one(reading{at: over, data: "1.6s", version: 5, want: HeartbeatSilent}),
			steadily(over+1, 2*over, 6, HeartbeatBeating)),
		"each beat restarts the silence": then(steadily(0, over-1, 5, HeartbeatBeating), steadily(over-1, 2*over-2, 6, HeartbeatBeating)),
		"an older view does not count": then(steadily(0, over-1, 5, HeartbeatBeating),
			one(reading{at: over, data: "1.6s", version: 4, want: HeartbeatBeating}),
			one(reading{at: over + 1, data: "1.6s", version: 5, want: HeartbeatSilent})),
		"a beat ends the silence, too, when the versions run out": then(steadily(0, over-1, math.MaxInt32, HeartbeatBeating),
			steadily(over-1, 2*over-2, math.MinInt32, HeartbeatBeating),
			one(reading{at: 2*over - 1, data: "1.6s", version: math.MaxInt32, want: HeartbeatBeating}),
			one(reading{at: 2 * over, data: "1.6s", version: math.MinInt32, want: HeartbeatSilent})),
		"a takeover at version -1 would succeed at any version": steadily(0, 2*over, -1, HeartbeatBeating),
		"reads without an answer restart the silence": then(steadily(0, theirs/2, 5, HeartbeatBeating),
			steadily(theirs+1, 2*theirs, 5, HeartbeatBeating),
			one(reading{at: theirs + over, data: "1.6s", version: 5, want: HeartbeatBeating}),
			one(reading{at: theirs + 1 + over, data: "1.6s", version: 5, want: HeartbeatSilent})),
		"reads without an answer before an error restart it, too": then(one(reading{data: "1.6s", want: HeartbeatBeating}),
			one(reading{at: theirs, err: errors.New("no"), want: HeartbeatBeating}),
			steadily(theirs+1, theirs+over, 0, HeartbeatBeating),
			one(reading{at: theirs + 1 + over, data: "1.6s", want: HeartbeatSilent})),
		"without a known lease there is no silence": {{data: "?", want: HeartbeatBeating},
			{at: ours / 2, data: "?", want: HeartbeatBeating}, {at: ours, data: "?", want: HeartbeatBeating}, {at: 3 * ours / 2, data: "?", want: HeartbeatBeating}},
		"revoked":                             one(reading{data: "revoked 4", version: 5, want: HeartbeatRevoked}),
		"revoked later":                       {{data: "1.6s", version: 4, want: HeartbeatBeating}, {at: 1, data: "revoked 4", version: 5, want: HeartbeatRevoked}},
		"revoked and seen so for ever":        {{data: "revoked 4", version: 5, want: HeartbeatRevoked}, {at: 1, data: "1.6s", version: 4, want: HeartbeatRevoked}},
		"revoked by hand":                     one(reading{data: "revoked", version: 5, want: HeartbeatBeating}),
		"revoked by hand with some number":    one(reading{data: "revoked 5", version: 5, want: HeartbeatBeating}),
		"a revocation that was set once more": {{data: "revoked 4", version: 5, want: HeartbeatRevoked}, {at: 1, data: "revoked 4", version: 6, want: HeartbeatBeating}},
		"gone only after 17/16 D": {{data: "1.6s", want: HeartbeatBeating}, {at: 1, err: zk.ErrNoNode, want: HeartbeatBeating},
			{at: over, err: zk.ErrNoNode, want: HeartbeatBeating}, {at: 1 + over, err: zk.ErrNoNode, want: HeartbeatGone}},
		"gone, and then reads without an answer": {{data: "1.6s", want: HeartbeatBeating}, {at: 1, err: zk.ErrNoNode, want: HeartbeatBeating},
			{at: 2 * over, err: zk.ErrNoNode, want: HeartbeatGone}},
		"without a known lease it is never gone": {{data: "?", want: HeartbeatBeating}, {at: 1, err: zk.ErrNoNode, want: HeartbeatBeating},
			{at: 9 * over, err: zk.ErrNoNode, want: HeartbeatBeating}},
		"gone is not revoked": {{data: "1.6s", version: 4, want: HeartbeatBeating}, {data: "revoked 4", version: 5, want: HeartbeatRevoked}, {at: 1, err: zk.ErrNoNode, want: HeartbeatRevoked},
			{at: 1 + over, err: zk.ErrNoNode, want: HeartbeatGone}},
		"gone whatever is there afterwards": {{data: "1.6s", want: HeartbeatBeating}, {at: 1, err: zk.ErrNoNode, want: HeartbeatBeating},
			{at: 2, data: "1.6s", version: 1, change: again, want: HeartbeatBeating},
			{at: 1 + over, data: "1.6s", version: 2, want: HeartbeatGone}},
		"created again, so it is gone": {{data: "1.6s", version: 5, want: HeartbeatBeating}, {at: 1, data: "1.6s", version: 9, change: again, want: HeartbeatBeating},
			{at: 1 + over, data: "1.6s", version: 99, change: again, want: HeartbeatGone}},
		"another session's heartbeat does not count": {{data: "1.6s", change: another, want: HeartbeatUnseen}, {at: over, data: "1.6s", change: another, want: HeartbeatUnseen}},
		"nor does its revocation":                    one(reading{data: "revoked 4", version: 5, change: another, want: HeartbeatUnseen}),
		"another's in its place":                     {{data: "1.6s", want: HeartbeatBeating}, {at: 1, data: "revoked 4", version: 5, change: another, want: HeartbeatBeating}, {at: 1 + over, data: "1.6s", change: another, want: HeartbeatGone}},
		"never there":                                {{err: zk.ErrNoNode, want: HeartbeatUnseen}, {at: 9 * over, err: zk.ErrNoNode, want: HeartbeatUnseen}},
		"hidden":                                     {{err: zk.ErrNoAuth, want: HeartbeatUnseen}, {at: 9 * over, err: zk.ErrNoAuth, want: HeartbeatUnseen}},
		"hidden at first":                            {{err: zk.ErrNoAuth, want: HeartbeatUnseen}, {at: 1, data: "1.6s", want: HeartbeatBeating}},
		"a shorter lease that was written by hand does not count": {{data: "1.6s", want: HeartbeatBeating},
			{at: 1, data: "160ms", version: 1, want: HeartbeatBeating}, {at: theirs / 32, data: "160ms", version: 1, want: HeartbeatBeating},
			{at: theirs / 16, data: "160ms", version: 1, want: HeartbeatBeating}, {at: theirs * 3 / 32, data: "160ms", version: 1, want: HeartbeatBeating},
			{at: theirs / 8, data: "160ms", version: 1, want: HeartbeatBeating}},
		"a lease that was written by hand and is too long does not count": {{data: "1.6s", want: HeartbeatBeating},
			{at: 1, data: "2562047h47m16.854775807s", version: 1, want: HeartbeatBeating}, {at: theirs / 32, data: "2500000h", version: 2, want: HeartbeatBeating}},
	} {
		h := hearing{owner: theirID}
		for i, a := range answers {
			a.to(&h)
			if h.now.State != a.want {
				t.Errorf("%s: %v after answer %d, at %v, want %v", name, h.now.State, i, a.at, a.want)
			}
			if wait := h.next(at(a.at), ours); wait <= 0 || wait > ours/listenEvery {
				t.Errorf("%s: the next read %v after answer %d", name, wait, i)
			}
		}
	}
}

func TestWhyAHeartbeatCannotBeReadIsTold(t *testing.T) {
	h := hearing{owner: theirID}
	reading{err: zk.ErrNoAuth}.to(&h)
	if !errors.Is(h.now.Err, zk.ErrNoAuth) {
		t.Errorf("err = %v", h.now.Err)
	}
	reading{at: 1, data: "1.6s", version: 2}.to(&h)
	if h.now.Err != nil || h.now.LeaseTime != theirs || h.now.Version != 2 {
		t.Errorf("%+v", h.now)
	}
}

// One of the two clocks may stop: the time must have passed on both.
func TestASilenceTakesItsTimeOnBothClocks(t *testing.T) {
	long := Outlast(theirs)
	for _, step := range []clock.Instant{{Mono: int64(long)}, {Boot: int64(long)}} {
		h := hearing{owner: theirID}
		reading{data: "1.6s"}.to(&h)
		now, stat := at(0), zk.Stat{Czxid: 3, EphemeralOwner: theirID}
		for range 4 { // in parts, so that answers keep coming
			now = clock.Instant{Mono: now.Mono + step.Mono/4, Boot: now.Boot + step.Boot/4}
			h.answer(now, []byte("1.6s"), stat, nil, ours)
		}
		if h.now.State != HeartbeatBeating {
			t.Errorf("%v after %+v on one clock alone", h.now.State, step)
		}
	}
}

// The read that finds a silence comes when the silence is complete, and not up to D/8 later.
func TestTheReadThatFindsASilenceComesInTime(t *testing.T) {
	h := hearing{owner: theirID}
	now := time.Duration(0)
	for h.now.State != HeartbeatSilent {
		reading{at: now, data: "1.6s"}.to(&h)
		if h.now.State != HeartbeatSilent {
			now += h.next(at(now), ours)
		}
	}
	if now > Outlast(theirs)+time.Millisecond {
		t.Errorf("found after %v, want %v", now, Outlast(theirs))
	}
}
