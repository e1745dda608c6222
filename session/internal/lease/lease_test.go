package lease

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// T is 1600 units, so that T/16 is 100, T/64 is 25 and the gap of 3T/8 is 600.
const T = 1600

func at(n int64) clock.Instant { return clock.Instant{Mono: n, Boot: n} }

// step is one piece of evidence.
type step func(*Proof)

func connect(h int64, granted time.Duration) step {
	return func(p *Proof) { p.Connected(at(h), granted) }
}
func answer(s, e int64) step      { return func(p *Proof) { p.Answered(at(s), at(e)) } }
func renew(start, end int64) step { return func(p *Proof) { p.Renewed(at(start), at(end)) } }
func cut() step                   { return (*Proof).Disconnected }

func TestTheTwoRules(t *testing.T) {
	const none = 0
	for _, c := range []struct {
		name  string
		steps []step
		want  int64
	}{
		{"nothing proves nothing", nil, none},
		{"a handshake alone proves nothing", []step{connect(1000, T)}, none},
		{"pings alone prove nothing", []step{connect(1000, T), answer(1100, 1110), answer(1700, 1710), answer(2300, 2310)}, none},
		{"a handshake and one renewal", []step{connect(1000, T), renew(1100, 1150)}, 1000 + 1500},
		{"the renewal may come much later", []step{connect(1000, T), renew(5000, 5010)}, 1000 + 1500},
		{"one renewal does not prove a touch", []step{connect(1000, T), answer(2000, 2010), renew(2610, 2620)}, 1000 + 1500},
		{"a pair proves a touch", []step{connect(1000, T), answer(2000, 2010), renew(2610, 2620), renew(2620, 2640)}, 2000 + 1500},
		{"the gap counts from the answer", []step{connect(1000, T), answer(2000, 2010), renew(2609, 2620), renew(2620, 2640)}, 1000 + 1500},
		{"the second must start after the end of the first", []step{connect(1000, T), answer(2000, 2010), renew(2610, 2630), renew(2629, 2640)}, 1000 + 1500},
		{"an overlapping renewal spoils nothing", []step{connect(1000, T), answer(2000, 2010), renew(2610, 2630), renew(2629, 2640), renew(2641, 2650)}, 2000 + 1500},
		{"the strongest touch counts", []step{connect(1000, T), answer(2000, 2010), answer(2100, 2110), answer(2200, 2210), renew(2710, 2720), renew(2720, 2730)}, 2100 + 1500},
		{"touches of an earlier connection do not count", []step{connect(1000, T), answer(2000, 2010), cut(), connect(1500, T), renew(2610, 2620), renew(2620, 2640)}, 1500 + 1500},
		{"a renewal of an earlier connection is no first of a pair", []step{connect(1000, T), answer(2000, 2010), renew(2610, 2620), cut(), connect(1200, T), renew(2630, 2640)}, 1200 + 1500},
		{"evidence without a connection does not count", []step{connect(1000, T), cut(), answer(2000, 2010), renew(2610, 2620), renew(2620, 2640)}, none},
		{"a proven lease outlives its connection", []step{connect(1000, T), renew(1100, 1150), cut()}, 1000 + 1500},
		{"an older handshake does not shorten it", []step{connect(1000, T), answer(2000, 2010), renew(2610, 2620), renew(2620, 2640), connect(1900, T), renew(2700, 2710)}, 2000 + 1500},
		{"a smaller grant cuts it at once", []step{connect(1000, T), renew(1100, 1150), connect(1200, T/2)}, 1000 + 750},
		{"a larger grant later does not lengthen it", []step{connect(1000, T/2), renew(1100, 1150), connect(1200, T), renew(1210, 1220)}, 1200 + 750},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p Proof
			for _, s := range c.steps {
				s(&p)
			}
			if got := p.Deadline(); got != at(c.want) {
				t.Errorf("deadline = %d, want %d", got.Mono, c.want)
			}
		})
	}
}

func TestSteadyRenewalsKeepSevenSixteenthsAhead(t *testing.T) {
	var p Proof
	p.Connected(at(1000), T)
	for start := int64(1010); start < 100*T; start += T / 8 {
		p.Answered(at(start), at(start+5))
		p.Renewed(at(start), at(start+5))
		// Each touch is served T/2 after it was written (the first multiple of T/8 that
		// leaves the gap), and proven by the renewal after that.
		if want := start + T*7/16 - T/8; start > 2000 && p.Deadline().Mono < want {
			t.Fatalf("after the renewal at %d the lease ends at %d, want %d or later", start, p.Deadline().Mono, want)
		}
		if len(p.touches) > 8 {
			t.Fatalf("%d touches kept", len(p.touches))
		}
	}
}

func TestBusyTrafficDoesNotPileUp(t *testing.T) {
	var p Proof
	p.Connected(at(1000), T)
	for now := int64(1001); now < 20*T; now++ {
		p.Answered(at(now), at(now))
		if now%(T/8) == 0 {
			p.Renewed(at(now), at(now))
		}
	}
	if n := len(p.touches); n > 64 {
		t.Errorf("%d touches kept", n)
	}
}

func TestAnIdleSessionRemembersLittle(t *testing.T) {
	var p Proof
	p.Connected(at(1000), T)
	for now := int64(1001); now < 1000*T; now += T / 3 {
		p.Answered(at(now), at(now+1))
	}
	if n := len(p.touches); n > 4 {
		t.Errorf("%d touches kept", n)
	}
}

func TestTimeMustHavePassedOnBothClocks(t *testing.T) {
	var p Proof
	p.Connected(at(1000), T)
	p.Answered(at(2000), at(2010))
	// The host was suspended: the boot clock moved on, the monotonic one did not. Only
	// the cautious reading counts for the gap.
	start := clock.Instant{Mono: 2100, Boot: 9000}
	p.Renewed(start, start.Add(1))
	p.Renewed(start.Add(2), start.Add(3))
	if got := p.Deadline(); got != at(1000+1500) {
		t.Errorf("deadline = %+v, want the handshake's", got)
	}
}
