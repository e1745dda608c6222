package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/updates"
)

// Kinds of violations. The last five are seen by the nemesis and told by "broken" lines.
const (
	Overlap      = "overlap"       // two terms were valid at one time
	TokenOrder   = "token order"   // a later term has a smaller token
	TokenTwice   = "token twice"   // two terms have one token
	Order        = "order"         // a contender got what it wanted before one that had come before it
	LostUpdate   = "lost update"   // what holders have read and written fits no register
	Outside      = "outside"       // a beat before "elected" or after "deposed"
	ClockBack    = "clock back"    // a process's stamps decrease
	AfterPause   = "after pause"   // a term went on after a pause longer than any lease
	LeaseOutlive = "lease"         // another could lead, or hold a place, before the end that its holder had claimed
	Liveness     = "liveness"      // nobody led in time after all had been mended
	Observer     = "observer"      // somebody was told of an older leader after a newer one
	WakeUps      = "wake-ups"      // a departure fired more than one watch
	Leftover     = "leftover"      // a znode of a candidate that is gone
	Foreign      = "foreign znode" // a child that is no candidate's was deleted
	Late         = "late"          // a successor led later than it should
	Exit         = "exit"          // a candidate did not end in time, or not with 0
	Unfinished   = "unfinished"    // the round could not be gone through
)

// A Violation is a promise that was broken.
type Violation struct {
	Kind   string
	T      int64
	Detail string
}

// String says all of it in one line.
func (v Violation) String() string { return fmt.Sprintf("%s at %d: %s", v.Kind, v.T, v.Detail) }

// Report is what a history amounts to.
type Report struct {
	Violations []Violation
	Terms      []*Term         // those with a beat, in order of their beginning
	Changes    int             // how often the leadership went to another term, from the first fault until all were told to leave
	Overlap    time.Duration   // the longest between two terms
	Excused    time.Duration   // the longest, with what the deletion of the path excuses
	Gaps       []time.Duration // of each change: how long nobody led
	Diverged   string          // how the servers' data differed, if they did
	Trials     []time.Duration // of each trial: how long after the end of its lease another could hold the place
}

// Count returns the number of violations of some kinds.
func (r *Report) Count(kinds ...string) (n int) {
	for _, v := range r.Violations {
		if slices.Contains(kinds, v.Kind) {
			n++
		}
	}
	return n
}

// Check judges a history. The lines of each process must be in the order in which it wrote them,
// and a "started" of the nemesis must stand before those of each process but the candidate's first.
func Check(lines []Line) *Report {
	c := &checker{
		Report: &Report{}, now: map[string]*process{},
		places: map[string]*place{}, held: map[string]*Term{}, ops: map[string][]updates.Op{},
	}
	for _, l := range lines {
		if l.ID == Nemesis {
			c.nemesis(l)
		} else {
			c.candidate(l)
		}
	}
	c.judgeTerms()
	c.judgeLiveness()
	c.judgeOrder()
	c.judgeRegisters()
	if c.Diverged != "" {
		excused := []string{Liveness, Leftover, Order, LostUpdate}
		c.Violations = slices.DeleteFunc(c.Violations, func(v Violation) bool {
			return slices.Contains(excused, v.Kind)
		})
	}
	slices.SortStableFunc(c.Violations, func(a, b Violation) int { return cmp.Compare(a.T, b.T) })
	return c.Report
}

// process is a candidate's present process, as far as its lines have been read.
type process struct {
	recipe, path    string // of a contender
	size            int    // of a semaphore
	slots           bool   // its permits have slots
	last            int64  // its latest stamp
	node            string
	waiting         int64            // its latest line of that name
	terms           map[string]*Term // by path; since "elected", until "deposed"
	sizing          *sizing          // its latest
	entered         []*place         // its places in the line of a semaphore since it held last
	observed        int64            // the newest leader's token that it was told
	pausedAt, ranAt int64            // of its last long pause: from, to
}

type checker struct {
	*Report
	lease   int64 // D
	now     map[string]*process
	all     []*Term // with a beat or without
	sizings []*sizing
	places  map[string]*place       // by znode: those in the line of a semaphore
	held    map[string]*Term        // by znode: what contenders have held
	gone    []Line                  // of znodes that have gone, and older ones were there
	ops     map[string][]updates.Op // on the register of each path
	erased  []stretch               // when an administrator deleted the path: not before from, not after to
	opened  int64                   // the first fault; 0: none
	closing int64                   // when all were told to leave; 0: never
	healed  []Line
}

func (c *checker) violate(t int64, kind, format string, args ...any) {
	c.Violations = append(c.Violations, Violation{kind, t, fmt.Sprintf(format, args...)})
}

func (c *checker) nemesis(l Line) {
	p := c.process(l.Of)
	switch l.Event {
	case "round":
		c.lease = l.LeaseMS * int64(time.Millisecond)
	case "started":
		*p = process{
			recipe: l.Recipe, path: l.Path, size: l.Size, slots: l.Slots, terms: map[string]*Term{},
		}
		if len(c.sizings) == 0 && l.Size > 0 { // all are given the first size
			c.sizings = []*sizing{{size: l.Size, done: true}}
		}
	case "paused":
		p.pausedAt, p.ranAt = l.T, 0
	case "continued":
		p.ranAt = l.T
	case "asked":
		for _, t := range p.terms {
			t.asked = true
		}
	case "erasing":
		c.erased = append(c.erased, stretch{l.T, l.T})
	case "erased":
		if n := len(c.erased); n > 0 {
			c.erased[n-1].to = l.T
		}
	case "fault":
		c.opened = cmp.Or(c.opened, l.T)
	case "closing":
		c.closing = l.T
	case "healed":
		c.healed = append(c.healed, l)
	case "gone":
		if len(l.Ahead) > 0 {
			c.gone = append(c.gone, l)
		}
	case "departed":
		if l.Position > 1 {
			c.violate(l.T, WakeUps, "the end of %s fired %d watches", l.Of, l.Position)
		}
	case "trial":
		margin := time.Duration(l.T - l.Deadline)
		c.Trials = append(c.Trials, margin)
		if margin < 0 {
			c.violate(l.T, LeaseOutlive, "another could hold the place of %s %v before its lease ended", l.Node, -margin)
		}
	case "diverged":
		c.Diverged = l.Text
	case "broken":
		c.violate(l.T, l.Reason, "%s", l.Text)
	}
}

func (c *checker) process(id string) *process {
	p := c.now[id]
	if p == nil {
		p = &process{terms: map[string]*Term{}}
		c.now[id] = p
	}
	return p
}

func (c *checker) candidate(l Line) {
	p := c.process(l.ID)
	if l.T < p.last {
		c.violate(l.T, ClockBack, "%s wrote %q with a stamp %v before its last", l.ID, l.Event, time.Duration(p.last-l.T))
	}
	p.last = l.T
	path := cmp.Or(l.Path, p.path)
	switch l.Event {
	case "joined":
		p.node = l.Node
	case "waiting":
		p.waiting = l.T
	case "elected", "acquired", "downgraded":
		for _, place := range p.entered {
			place.served = true
		}
		p.entered = nil
		c.begin(p, path, l)
	case "entered":
		entered := &place{id: l.ID}
		c.places[l.Node] = entered
		p.entered = append(p.entered, entered)
	case "abandoned":
		if left := c.places[l.Node]; left != nil {
			left.abandoned = true
		}
	case "read", "writing", "wrote":
		c.use(path, l)
	case "beat":
		c.beat(p, p.terms[path], l)
	case "deposed", "lost", "released":
		if t := p.terms[path]; t != nil && t.Token == l.Token {
			t.Reason, t.told = cmp.Or(l.Reason, l.Event), l.T // "released" gives no other
			delete(p.terms, path)
		}
	case "resizing":
		p.sizing = &sizing{size: l.Size, asked: l.T}
		c.sizings = append(c.sizings, p.sizing)
	case "resized":
		if p.sizing != nil {
			p.sizing.done, p.sizing.at = true, l.T
		}
	case "leader":
		if l.LeaderToken != 0 && l.LeaderToken < p.observed {
			c.violate(l.T, Observer, "%s was told of token %d after %d", l.ID, l.LeaderToken, p.observed)
		}
		p.observed = max(p.observed, l.LeaderToken)
	}
}

// begin begins a term.
func (c *checker) begin(p *process, path string, l Line) {
	t := &Term{
		ID: l.ID, Token: l.Token, Path: path, Node: cmp.Or(l.Node, p.node),
		From: l.T, Deadline: l.Deadline,
		Reader: p.recipe == "read" || l.Event == "downgraded", Slots: l.SlotNumbers,
	}
	if l.Slot != nil {
		t.Slots = []int{*l.Slot}
	}
	if p.recipe == "semaphore" {
		t.Held, t.waiting = max(1, l.Permits), p.waiting
	}
	if p.recipe != "" {
		c.held[t.Node] = t
	}
	p.terms[path] = t
	c.all = append(c.all, t)
	if p.slots && len(t.Slots) != t.Held {
		c.violate(l.T, Outside, "%s holds %d permits with the slots %v", l.ID, t.Held, t.Slots)
	}
}

func (c *checker) beat(p *process, t *Term, l Line) {
	if t == nil || t.Token != l.Token {
		c.violate(l.T, Outside, "%s beats with token %d", l.ID, l.Token)
		return
	}
	// A lease that was claimed before the pause ended less than D after the pause began. It cannot
	// have been extended meanwhile.
	if p.pausedAt > t.From && p.ranAt-p.pausedAt > c.lease && l.T > p.ranAt {
		c.violate(l.T, AfterPause, "%s beats with token %d, %v after a pause of %v", l.ID, l.Token,
			time.Duration(l.T-p.ranAt), time.Duration(p.ranAt-p.pausedAt))
	}
	t.To = l.T
	t.Beats++
	t.Deadline = max(t.Deadline, l.Deadline)
}

func (c *checker) judgeLiveness() {
	for _, l := range c.healed {
		bound := l.T + l.TimeoutMS*int64(time.Millisecond)
		// A term that goes on from before to after counts, and so does one that begins in time.
		led := slices.ContainsFunc(c.Terms, func(t *Term) bool { return t.To >= l.T && t.From <= bound })
		if !led {
			c.violate(bound, Liveness, "nobody led within %d ms after all had been mended", l.TimeoutMS)
		}
	}
}
