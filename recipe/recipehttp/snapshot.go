package recipehttp

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// How much of what others say is shown, in characters, and how many of them.
const (
	maxText  = 128
	maxError = 512
	maxLine  = 100
)

// The types below are the JSON. Numbers that can exceed what JavaScript counts exactly are strings;
// times are RFC 3339; what is not known is left out.

type snapshotJSON struct {
	Title     string         `json:"title"`
	Now       time.Time      `json:"now"`
	RefreshMS int64          `json:"refresh_ms"` // how often to ask
	Elections []electionJSON `json:"elections"`
	recipesJSON
}

type electionJSON struct {
	Path       string          `json:"path"`
	Connection connectionJSON  `json:"connection"`
	Known      bool            `json:"known"`            // whether anything of what follows is
	Ended      string          `json:"ended,omitempty"`  // why nothing new will be known
	Leader     *placeJSON      `json:"leader,omitempty"` // absent when nobody leads
	Lease      *leaseJSON      `json:"lease,omitempty"`  // when the leader is of this process
	Heir       *placeJSON      `json:"heir,omitempty"`
	Line       []placeJSON     `json:"line"`       // the leader first
	LineTotal  int             `json:"line_total"` // Line may be only the beginning
	LineAt     *time.Time      `json:"line_at,omitempty"`
	LineFailed bool            `json:"line_failed"` // it could not be read again since
	Candidates []candidateJSON `json:"candidates"`  // those of this process
	Terms      []termJSON      `json:"terms"`       // the newest first
}

type connectionJSON struct {
	State     string    `json:"state"` // connecting, connected, suspended or lost
	Since     time.Time `json:"since"`
	TimeoutMS int64     `json:"timeout_ms"` // T
	LeaseMS   int64     `json:"lease_ms"`   // D
}

type placeJSON struct {
	ID      string `json:"id"`
	Node    string `json:"node"`
	Token   string `json:"token,omitempty"`
	Session string `json:"session,omitempty"`
	Data    string `json:"data,omitempty"`
	Here    bool   `json:"here"`   // it is of this process
	Hidden  bool   `json:"hidden"` // its ACL does not let the page read it: the znode is all that is known
}

type leaseJSON struct {
	RemainingMS int64 `json:"remaining_ms"`
	LengthMS    int64 `json:"length_ms"` // D
}

type candidateJSON struct {
	ID          string     `json:"id"`
	State       string     `json:"state"`
	Since       time.Time  `json:"since"`
	TryingSince *time.Time `json:"trying_since,omitempty"`
	Position    *int       `json:"position,omitempty"` // how many are ahead, when in line
	LastReason  string     `json:"last_reason,omitempty"`
	LastErr     string     `json:"last_err,omitempty"` // what led to that, as the callback's error
	Impaired    string     `json:"impaired,omitempty"` // why a change of leader may take longer than D
}

type termJSON struct {
	Node   string     `json:"node"`
	Token  string     `json:"token,omitempty"`
	ID     string     `json:"id"`
	Hidden bool       `json:"hidden"` // the leader's ACL has not let the page read it
	Begin  time.Time  `json:"begin"`
	Before bool       `json:"began_before"` // it began before Begin
	End    *time.Time `json:"end,omitempty"`
	Reason string     `json:"reason,omitempty"` // known for terms of this process alone
	Here   bool       `json:"here"`
}

// snapshot collects what the page shows now.
func (p *Page) snapshot(ctx context.Context) snapshotJSON {
	p.mu.Lock()
	views := slices.Clone(p.views)
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, waitFor)
	defer cancel()
	for _, v := range views {
		v.reread() // all at once; each is waited for below
	}
	s := snapshotJSON{Title: p.cfg.Title, RefreshMS: p.cfg.Refresh.Milliseconds(), Elections: []electionJSON{}, recipesJSON: p.recipes.snapshot(p.cfg.Data)}
	for _, v := range views {
		s.Elections = append(s.Elections, v.snapshot(ctx))
	}
	s.Now = time.Now().UTC()
	return s
}

func (v *View) snapshot(ctx context.Context) electionJSON {
	all, at, failed := v.look(ctx)
	own, ended := v.state()
	status := v.client.Status()
	leader, known := v.observer.Current()
	leader, lease := ahead(leader, own, status.LeaseTime)
	if known || lease != nil {
		all = from(leader, all)
	}

	e := electionJSON{
		Path:       v.path,
		Connection: connectionOf(status),
		Known:      known || lease != nil || !at.IsZero(),
		Lease:      lease,
		Line:       []placeJSON{}, LineTotal: len(all), LineFailed: failed,
		Candidates: []candidateJSON{}, Terms: []termJSON{},
	}
	if ended != nil {
		e.Ended = clean(ended.Error(), maxError)
	}
	if !at.IsZero() {
		at = at.UTC()
		e.LineAt = &at
	}
	for _, c := range all[:min(len(all), maxLine)] {
		e.Line = append(e.Line, v.place(c, own))
	}
	if len(e.Line) > 0 {
		e.Leader = &e.Line[0]
	}
	if len(e.Line) > 1 {
		e.Heir = &e.Line[1]
	}
	for _, st := range own {
		e.Candidates = append(e.Candidates, candidateOf(st))
	}
	for _, t := range v.history.list() {
		e.Terms = append(e.Terms, termOf(t))
	}
	return e
}

// ahead corrects the observer by what candidates of this process know earlier: that one leads, and
// for how long.
func ahead(leader election.Candidate, own []election.Status, length time.Duration) (election.Candidate, *leaseJSON) {
	var lease *leaseJSON
	for _, st := range own {
		if st.State != election.StateLeading || st.Token < leader.Token {
			continue
		}
		if st.Token > leader.Token {
			leader = election.Candidate{ID: st.ID, Token: st.Token, Node: st.Node, Session: st.Session}
		}
		lease = &leaseJSON{RemainingMS: st.LeaseRemaining.Milliseconds(), LengthMS: length.Milliseconds()}
	}
	return leader, lease
}

// from returns the line that goes with that leader. The two are read separately, so one may be
// older than the other. Candidates ahead of the leader have gone. A line without the leader is the
// newer of the two if all in it have come later.
func from(leader election.Candidate, all []election.Candidate) []election.Candidate {
	if leader.Node == "" {
		return nil
	}
	i := slices.IndexFunc(all, func(c election.Candidate) bool { return c.Node == leader.Node })
	switch {
	case i >= 0:
		return all[i:]
	case len(all) > 0 && all[0].Token > leader.Token:
		return all
	}
	return []election.Candidate{leader}
}

func connectionOf(st session.Status) connectionJSON {
	return connectionJSON{
		State: st.State.String(), Since: st.Since.UTC(),
		TimeoutMS: st.Timeout.Milliseconds(), LeaseMS: st.LeaseTime.Milliseconds(),
	}
}

func (v *View) place(c election.Candidate, own []election.Status) placeJSON {
	p := placeJSON{ID: clean(c.ID, maxText), Node: clean(c.Node, maxError), Hidden: c.Hidden}
	if c.Token != 0 {
		p.Token = strconv.FormatInt(c.Token, 10)
	}
	if c.Session != 0 {
		p.Session = feed.Hex(c.Session)
	}
	if v.page.cfg.Data {
		p.Data = clean(string(c.Data[:min(len(c.Data), 4*maxText)]), maxText)
	}
	p.Here = slices.ContainsFunc(own, func(st election.Status) bool { return st.Node == c.Node })
	return p
}

func candidateOf(st election.Status) candidateJSON {
	c := candidateJSON{ID: clean(st.ID, maxText), State: st.State.String(), Since: st.Since.UTC()}
	if !st.TryingSince.IsZero() {
		since := st.TryingSince.UTC()
		c.TryingSince = &since
	}
	if st.Node != "" {
		c.Position = &st.Position
	}
	if st.LastReason != 0 {
		c.LastReason = st.LastReason.String()
	}
	if st.LastErr != nil {
		c.LastErr = clean(st.LastErr.Error(), maxError)
	}
	if st.Impaired != nil {
		c.Impaired = clean(st.Impaired.Error(), maxError)
	}
	return c
}

func termOf(t term) termJSON {
	j := termJSON{Node: clean(t.node, maxError), ID: t.id, Hidden: t.token == 0, Begin: t.begin.UTC(), Before: t.before, Here: t.own}
	if t.token != 0 {
		j.Token = strconv.FormatInt(t.token, 10)
	}
	if !t.end.IsZero() {
		end := t.end.UTC()
		j.End = &end
	}
	if t.reason != 0 {
		j.Reason = t.reason.String()
	}
	return j
}

// clean makes a text of others safe to show: valid, not longer than n characters, and without
// invisible characters, which could turn the direction of the text or forge a line.
func clean(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n--; n < 0 {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}
