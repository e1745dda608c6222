package line

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

func at(d time.Duration) clock.Instant { return clock.Instant{}.Add(time.Hour + d) }

func TestDecide(t *testing.T) {
	const s = time.Second
	first := standing{armed: true, leased: true}
	with := func(change func(*standing)) standing {
		st := first
		change(&st)
		return st
	}
	behind := func(n int, nearest session.HeartbeatState) standing {
		return standing{ahead: n, depth: n, armed: true, nearest: session.Heartbeat{State: nearest, Version: 1}}
	}
	for name, c := range map[string]struct {
		st   standing
		want action
		wait time.Duration
	}{
		"nobody ahead, nobody gone":             {first, actLead, 0},
		"no lease":                              {with(func(st *standing) { st.leased = false }), actRenew, never},
		"own watch not armed":                   {with(func(st *standing) { st.armed = false }), actWait, never},
		"leads already":                         {with(func(st *standing) { st.led = true }), actWait, never},
		"a departure of which nobody was asked": {with(func(st *standing) { st.departures = []departure{{7, at(s), false, false, false}} }), actAsk, 0},
		"asked for even where it is over":       {with(func(st *standing) { st.departures = []departure{{7, at(-s), false, false, false}} }), actAsk, 0},
		"asked for before a lease is":           {with(func(st *standing) { st.departures, st.leased = []departure{{7, at(-s), false, false, false}}, false }), actAsk, 0},
		"not announced":                         {with(func(st *standing) { st.departures = []departure{{7, at(s), true, false, false}} }), actWait, s},
		"two not announced": {with(func(st *standing) {
			st.departures = []departure{{8, at(2 * s), true, false, false}, {7, at(s), true, false, false}}
		}), actWait, 2 * s},
		"one over, one not": {with(func(st *standing) {
			st.departures = []departure{{7, at(-s), true, false, false}, {8, at(s), true, false, false}}
		}), actWait, s},
		"not announced, but over": {with(func(st *standing) { st.departures = []departure{{7, at(0), true, false, false}} }), actLead, 0},
		"over by one clock alone": {with(func(st *standing) {
			st.departures = []departure{{7, clock.Instant{Mono: at(-s).Mono, Boot: at(s).Boot}, true, false, false}}
		}), actWait, s},
		"a writer that may read now":                                     {with(func(st *standing) { st.departures = []departure{{7, at(s), true, false, true}} }), actList, 0},
		"asked for before the line is listed":                            {with(func(st *standing) { st.departures = []departure{{7, at(s), false, false, true}} }), actAsk, 0},
		"a foreign writer that may read now":                             {with(func(st *standing) { st.departures = []departure{{7, at(0), true, false, true}} }), actList, 0},
		"behind many readers, the last silent":                           {standing{ahead: 9, depth: 1, nearest: session.Heartbeat{State: session.HeartbeatSilent}}, actTakeOver, never},
		"behind a writer that waits for readers, which has never beaten": {standing{ahead: 1, depth: 2, nearest: session.Heartbeat{State: session.HeartbeatSilent}}, actWait, never},
		"behind a writer with readers and a writer ahead":                {standing{ahead: 1, depth: 3, nearest: session.Heartbeat{State: session.HeartbeatSilent, Version: 1}}, actWait, never},
		"a clock's grain":                                                {with(func(st *standing) { st.departures = []departure{{7, at(1), true, false, false}} }), actWait, time.Millisecond},
		"heir, leader beats":                                             {behind(1, session.HeartbeatBeating), actWait, never},
		"heir, leader not heard":                                         {behind(1, session.HeartbeatUnseen), actWait, never},
		"heir, leader silent":                                            {behind(1, session.HeartbeatSilent), actTakeOver, never},
		"heir, leader revoked":                                           {behind(1, session.HeartbeatRevoked), actTakeOver, never},
		"heir, leader's heartbeat gone":                                  {behind(1, session.HeartbeatGone), actTakeOver, never},
		"second in line, heir silent":                                    {behind(2, session.HeartbeatSilent), actTakeOver, never},
		"second in line, heir has never beaten":                          {standing{ahead: 2, depth: 2, nearest: session.Heartbeat{State: session.HeartbeatSilent}}, actWait, never},
		"heir, leader has never beaten":                                  {standing{ahead: 1, depth: 1, nearest: session.Heartbeat{State: session.HeartbeatSilent}}, actTakeOver, never},
		"third in line: nobody there has to beat":                        {behind(3, session.HeartbeatSilent), actWait, never},
		"silent, but we are not permitted to do it":                      {standing{ahead: 1, depth: 1, nearest: session.Heartbeat{State: session.HeartbeatSilent}, refused: true}, actWait, never},
	} {
		if got, wait := decide(c.st, at(0)); got != c.want || wait != c.wait {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, wait, c.want, c.wait)
		}
	}
}

// FuzzDecide states the rule of succession in another way: a place that leads has nobody ahead, has
// its watch and its lease, and has nothing to wait for.
func FuzzDecide(f *testing.F) {
	f.Add(uint8(0), uint8(7), uint8(0), int64(0), int64(0), int64(5))
	f.Add(uint8(1), uint8(3), uint8(2), int64(-9), int64(9), int64(0))
	f.Fuzz(func(t *testing.T, ahead, flags, more uint8, one, two, now int64) {
		bit := func(i int) bool { return flags>>i&1 == 1 }
		st := standing{
			ahead: int(ahead % 4), depth: int(ahead%4) + int(flags>>6&1), armed: bit(0), leased: bit(1), led: bit(2), refused: bit(3), nearest: session.Heartbeat{State: session.HeartbeatState(ahead / 4 % 5), Version: int32(more >> 1)},
			departures: []departure{{1, clock.Instant{Mono: one, Boot: two}, bit(4), more&1 == 1, bit(7)}, {2, clock.Instant{Mono: two, Boot: one}, bit(5), false, false}},
		}
		instant := clock.Instant{Mono: now, Boot: now}
		act, wait := decide(st, instant)
		clear := now >= one && now >= two && bit(4) && bit(5) && !bit(7)
		if lead := act == actLead; lead != (st.ahead == 0 && st.armed && st.leased && !st.led && clear) {
			t.Errorf("%+v at %d: %v", st, now, act)
		}
		if act == actTakeOver && (st.ahead == 0 || st.depth > 2 || st.refused || st.nearest.State < session.HeartbeatSilent) {
			t.Errorf("%+v: %v", st, act)
		}
		if act == actTakeOver && st.depth > 1 && st.nearest.State == session.HeartbeatSilent && st.nearest.Version == 0 {
			t.Errorf("%+v: takes over from an heir that perhaps does not know yet that it is the heir", st)
		}
		if act == actWait && wait <= 0 {
			t.Errorf("%+v at %d: waits for %v", st, now, wait)
		}
	})
}

func TestOurs(t *testing.T) {
	for name, want := range map[string]bool{
		"_c_0f3b1c9e-7a52-8e1d-9a6b-2c8d4f5e6a7b-latch-0000000007":   true,
		"_c_0f3b1c9e-7a52-8e1d-9a6b-2c8d4f5e6a7b-__lock__0000000007": true,
		"_c_0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b-latch-0000000007":   false,
		"_c_0f3b1c9e7a528e1d9a6b2c8d4f5e6a7b-latch-0000000007":       false,
		"0f3b1c9e7a528e1d9a6b2c8d4f5e6a7b__lock__0000000007":         false,
		"latch-0000000007": false,
		"_c_":              false,
		"":                 false,
	} {
		if got := Ours(name); got != want {
			t.Errorf("Ours(%q) = %v", name, got)
		}
	}
}
