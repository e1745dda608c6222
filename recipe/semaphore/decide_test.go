package semaphore

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

func at(d time.Duration) clock.Instant { return clock.Instant{}.Add(time.Hour + d) }

func TestDecide(t *testing.T) {
	const s = time.Second
	ready := standing{size: 3, want: 1, older: 2, fresh: true, armed: true, slotted: true, leased: true}
	with := func(change func(*standing)) standing {
		st := ready
		change(&st)
		return st
	}
	gone := func(older int, all ...departure) standing {
		return with(func(st *standing) { st.older, st.gone = older, all })
	}
	behind := func(states ...session.HeartbeatState) standing {
		return with(func(st *standing) {
			st.older = 3
			for _, state := range states {
				st.beats = append(st.beats, session.Heartbeat{State: state, Version: 1})
			}
		})
	}
	for name, c := range map[string]struct {
		st   standing
		want decision
	}{
		"room":                                  {ready, decision{action: actAdmit}},
		"no lease":                              {with(func(st *standing) { st.leased = false }), decision{actRenew, never, 0}},
		"own watch not armed":                   {with(func(st *standing) { st.armed = false }), decision{wait: never}},
		"admitted already":                      {with(func(st *standing) { st.admitted = true }), decision{wait: never}},
		"the size is that of long ago":          {with(func(st *standing) { st.fresh = false }), decision{action: actAsk}},
		"no slot yet":                           {with(func(st *standing) { st.slotted = false }), decision{action: actSlot}},
		"no slot is free":                       {with(func(st *standing) { st.slotted, st.slotFree = false, at(s) }), decision{wait: s}},
		"a slot is free by now":                 {with(func(st *standing) { st.slotted, st.slotFree = false, at(0) }), decision{action: actSlot}},
		"two wanted, room for one":              {with(func(st *standing) { st.want = 2 }), decision{wait: never}},
		"two wanted, room for two":              {with(func(st *standing) { st.want, st.older = 2, 1 }), decision{action: actAdmit}},
		"more wanted than there are":            {with(func(st *standing) { st.want = 4 }), decision{action: actRefuse}},
		"the size has shrunk":                   {with(func(st *standing) { st.size = 2 }), decision{wait: never}},
		"full":                                  {behind(), decision{wait: never}},
		"one has gone":                          {gone(2, departure{7, 1, at(s), false}), decision{action: actAsk}},
		"not announced":                         {gone(2, departure{7, 1, at(s), true}), decision{wait: s}},
		"not announced, but there is room":      {gone(1, departure{7, 1, at(s), true}), decision{action: actAdmit}},
		"not asked, but there is room":          {gone(1, departure{7, 1, at(s), false}), decision{action: actAdmit}},
		"over":                                  {gone(2, departure{7, 1, at(0), true}), decision{action: actAdmit}},
		"over, and nobody was asked":            {gone(2, departure{7, 1, at(-s), false}), decision{action: actAdmit}},
		"over by one clock alone":               {gone(2, departure{7, 1, clock.Instant{Mono: at(-s).Mono, Boot: at(s).Boot}, true}), decision{wait: s}},
		"a clock's grain":                       {gone(2, departure{7, 1, at(1), true}), decision{wait: time.Millisecond}},
		"two gone, the first over is looked at": {gone(1, departure{7, 1, at(2 * s), true}, departure{8, 1, at(s), true}), decision{wait: s}},
		"one of two is over":                    {gone(1, departure{7, 1, at(2 * s), true}, departure{8, 1, at(-s), true}), decision{action: actAdmit}},
		"many are missing":                      {gone(0, departure{1 << 62, 3, at(s), true}), decision{wait: s}},
		"fewer are missing than there are":      {gone(0, departure{1 << 62, 2, at(s), true}), decision{action: actAdmit}},
		"holders beat":                          {behind(session.HeartbeatBeating, session.HeartbeatUnseen), decision{wait: never}},
		"a holder is silent":                    {behind(session.HeartbeatBeating, session.HeartbeatSilent), decision{actTakeOver, 0, 1}},
		"a holder is revoked":                   {behind(session.HeartbeatRevoked), decision{actTakeOver, 0, 0}},
		"a holder's heartbeat is gone":          {behind(session.HeartbeatUnseen, session.HeartbeatGone), decision{actTakeOver, 0, 1}},
		"silent, but there is room":             {with(func(st *standing) { st.beats = behind(session.HeartbeatSilent).beats }), decision{action: actAdmit}},
	} {
		if got := decide(c.st, at(0)); got != c.want {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
	}
}

// FuzzDecide states the rule of admission in another way: if a permit is admitted, there is room
// beside the older permits that can be held, and the permit has all that it needs itself.
func FuzzDecide(f *testing.F) {
	f.Add(uint8(3), uint8(1), uint8(2), uint8(0xff), int64(0), int64(0), int64(5))
	f.Add(uint8(1), uint8(1), uint8(0), uint8(0x3f), int64(-9), int64(9), int64(0))
	f.Add(uint8(4), uint8(2), uint8(9), uint8(0x0f), int64(1), int64(2), int64(1))
	f.Fuzz(func(t *testing.T, size, want, older, flags uint8, one, two, now int64) {
		bit := func(i int) bool { return flags>>i&1 == 1 }
		st := standing{
			size: int(size%8) + 1, want: int(want%8) + 1, older: int(older % 8), fresh: bit(0), armed: bit(1), slotted: bit(2), leased: bit(3), admitted: bit(4),
			gone:  []departure{{1, 1, clock.Instant{Mono: one, Boot: two}, bit(5)}, {2, int64(older / 8), clock.Instant{Mono: two, Boot: one}, bit(6)}},
			beats: []session.Heartbeat{{State: session.HeartbeatState(flags % 5)}},
		}
		instant := clock.Instant{Mono: now, Boot: now}
		do := decide(st, instant)
		taken := st.older + st.want
		if now < one || now < two {
			taken += 1 + int(older/8)
		}
		room := taken <= st.size
		if admit := do.action == actAdmit; admit != (room && st.fresh && st.armed && st.slotted && st.leased && !st.admitted) {
			t.Errorf("%+v at %d: %+v", st, now, do)
		}
		if do.action == actTakeOver && (room || st.admitted || st.beats[do.beat].State < session.HeartbeatSilent) {
			t.Errorf("%+v at %d: %+v", st, now, do)
		}
		if do.action == actWait && do.wait <= 0 {
			t.Errorf("%+v at %d: waits for %v", st, now, do.wait)
		}
	})
}
