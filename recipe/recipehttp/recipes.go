package recipehttp

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// How much is shown of the recipes of this process.
const (
	maxRecipes = 100 // of each kind
	maxClaims  = 20  // of each lock
)

// recipes are the recipes of this process that the page shows, other than elections.
type recipes struct {
	mu  sync.Mutex // guards all
	all []any      // in the order in which they were added
}

// Add shows recipes of this process, until [Page.Remove]: what they hold and wait for, and since
// when. It takes pointers to an [election.Election], a [lock.Lock], a [lock.RW], a
// [semaphore.Semaphore], a [group.Member], a [group.Members] or a [cache.Cache], and panics on
// anything else.
//
// An election is shown as by [Page.Observe] and [View.Add], at the same cost. If there is a View of
// its path and client already, the election is added to that. Add it before Run or Campaign: the
// page does not show what has happened earlier. To show other recipes costs the ensemble nothing.
// Of these, at most 100 of each kind are shown. Those that have waited longest are shown first.
//
// Of a lock or a semaphore the page shows what this process holds and waits for, not the line of
// all processes: for that see [lock.Lock.Contenders], and [semaphore.Semaphore.Holders] for who has
// permits.
func (p *Page) Add(recipes ...any) {
	p.recipes.mu.Lock()
	defer p.recipes.mu.Unlock()
	for _, r := range parts(recipes) {
		switch r := r.(type) {
		case *election.Election:
			p.addElection(r)
			continue
		case *lock.Lock, *semaphore.Semaphore, *group.Member, *group.Members, *cache.Cache:
		default:
			panic(fmt.Sprintf("recipehttp: Page.Add was given a %T; want a pointer to an Election, Lock, RW, Semaphore, Member, Members or Cache", r))
		}
		if !slices.Contains(p.recipes.all, r) {
			p.recipes.all = append(p.recipes.all, r)
		}
	}
}

// Remove ends what Add began, for recipes that are not used any more.
func (p *Page) Remove(recipes ...any) {
	p.recipes.mu.Lock()
	defer p.recipes.mu.Unlock()
	for _, gone := range parts(recipes) {
		if el, ok := gone.(*election.Election); ok {
			p.removeElection(el)
			continue
		}
		p.recipes.all = slices.DeleteFunc(p.recipes.all, func(r any) bool { return r == gone })
	}
}

// parts takes read-write locks apart. It panics on a nil pointer, which would panic later
// otherwise, far from the mistake.
func parts(recipes []any) (all []any) {
	for _, r := range recipes {
		if v := reflect.ValueOf(r); v.Kind() == reflect.Pointer && v.IsNil() {
			panic(fmt.Sprintf("recipehttp: a %T was given that is nil", r))
		}
		if rw, ok := r.(*lock.RW); ok {
			all = append(all, rw.Read(), rw.Write())
			continue
		}
		all = append(all, r)
	}
	return all
}

// lockJSON is a lock or a semaphore.
type lockJSON struct {
	Kind     string            `json:"kind"` // lock, read lock or semaphore
	Path     string            `json:"path"`
	ID       string            `json:"id"`
	Size     int               `json:"size,omitempty"` // of a semaphore
	Claims   []claimJSON       `json:"claims"`
	Total    int               `json:"claims_total"` // Claims may be only the beginning
	Acquired uint64            `json:"acquired"`
	Busy     uint64            `json:"busy"`
	GaveUp   uint64            `json:"gave_up"`
	Ended    map[string]uint64 `json:"ended"` // by reason
	Lost     uint64            `json:"lost"`  // of these, those that were nobody's choice
}

type claimJSON struct {
	State       string     `json:"state"` // waiting, held or ending
	Since       time.Time  `json:"since"`
	TryingSince *time.Time `json:"trying_since,omitempty"`
	Node        string     `json:"node,omitempty"`
	Position    *int       `json:"position,omitempty"` // how many are ahead, when in line
	Blocked     bool       `json:"blocked"`            // by a persistent znode
	Impaired    string     `json:"impaired,omitempty"`
	Token       string     `json:"token,omitempty"`
	Permits     int        `json:"permits,omitempty"`
	Slots       []int      `json:"slots,omitempty"`
	LeaseMS     int64      `json:"lease_ms,omitempty"` // how long it still runs
	Reason      string     `json:"reason,omitempty"`
}

// memberJSON is a member of this process.
type memberJSON struct {
	Path       string    `json:"path"`
	ID         string    `json:"id"`
	Listed     bool      `json:"listed"`
	Since      time.Time `json:"since"`
	Token      string    `json:"token,omitempty"`
	LeaseMS    int64     `json:"lease_ms,omitempty"`
	Listings   uint64    `json:"listings"`
	LastReason string    `json:"last_reason,omitempty"`
	Over       string    `json:"over,omitempty"`
}

// groupJSON is a list of members.
type groupJSON struct {
	Path    string      `json:"path"`
	Known   bool        `json:"known"`
	Members []placeJSON `json:"members"`
	Total   int         `json:"members_total"`
	AgeMS   int64       `json:"age_ms"`
	Ended   string      `json:"ended,omitempty"`
}

// cacheJSON is a cache of this process.
type cacheJSON struct {
	Path      string `json:"path"`
	Loaded    bool   `json:"loaded"`
	Following bool   `json:"following"`
	Nodes     int    `json:"nodes"`
	Bytes     int64  `json:"bytes"`
	Unread    int    `json:"unread"`
	AgeMS     int64  `json:"age_ms"`
	Reads     uint64 `json:"reads"`
	Ended     string `json:"ended,omitempty"`
}

// recipesJSON is a part of the snapshot. Of each kind there may be more than are shown.
type recipesJSON struct {
	Locks        []lockJSON   `json:"locks"`
	LocksTotal   int          `json:"locks_total"`
	Members      []memberJSON `json:"members"`
	MembersTotal int          `json:"members_total"`
	Groups       []groupJSON  `json:"groups"`
	GroupsTotal  int          `json:"groups_total"`
	Caches       []cacheJSON  `json:"caches"`
	CachesTotal  int          `json:"caches_total"`
}

// snapshot asks all for their Status, which does not block.
func (rs *recipes) snapshot(data bool) recipesJSON {
	rs.mu.Lock()
	all := slices.Clone(rs.all)
	rs.mu.Unlock()
	j := recipesJSON{Locks: []lockJSON{}, Members: []memberJSON{}, Groups: []groupJSON{}, Caches: []cacheJSON{}}
	var locks []standing
	for _, r := range all {
		switch r := r.(type) {
		case *lock.Lock:
			st := r.Status()
			locks = append(locks, standing{map[bool]string{false: "lock", true: "read lock"}[st.Reader], st})
		case *semaphore.Semaphore:
			locks = append(locks, standing{"semaphore", r.Status()})
		case *group.Member:
			j.Members = append(j.Members, memberOf(r.Status()))
		case *group.Members:
			j.Groups = append(j.Groups, groupOf(r, data))
		case *cache.Cache:
			j.Caches = append(j.Caches, cacheOf(r.Status()))
		}
	}
	j.LocksTotal, j.MembersTotal, j.GroupsTotal, j.CachesTotal = len(locks), len(j.Members), len(j.Groups), len(j.Caches)
	slices.SortStableFunc(locks, standing.compare)
	for _, l := range locks[:min(len(locks), maxRecipes)] {
		j.Locks = append(j.Locks, l.json())
	}
	slices.SortStableFunc(j.Members, func(a, b memberJSON) int { return cmp.Compare(rank(a.Listed), rank(b.Listed)) })
	j.Members = j.Members[:min(len(j.Members), maxRecipes)]
	j.Groups = j.Groups[:min(len(j.Groups), maxRecipes)]
	j.Caches = j.Caches[:min(len(j.Caches), maxRecipes)]
	return j
}

func rank(good bool) int {
	if good {
		return 1
	}
	return 0
}

// standing is the state of a lock or a semaphore.
type standing struct {
	kind string
	recipe.Status
}

// waits returns since when its oldest claim waits, or a time in the future.
func (s standing) waits() time.Time {
	for _, c := range s.Claims {
		if c.State == recipe.ClaimWaiting {
			return c.Since
		}
	}
	return time.Unix(1<<40, 0)
}

// compare puts first what waits, for the longest time, and last what has no claim.
func (s standing) compare(o standing) int {
	return cmp.Or(s.waits().Compare(o.waits()), cmp.Compare(rank(len(s.Claims) == 0), rank(len(o.Claims) == 0)))
}

func (s standing) json() lockJSON {
	j := lockJSON{
		Kind: s.kind, Path: clean(s.Path, maxError), ID: clean(s.ID, maxText), Size: s.Size, Claims: []claimJSON{}, Total: len(s.Claims),
		Acquired: s.Counts.Waited.Count, Busy: s.Counts.Busy, GaveUp: s.Counts.GaveUp, Ended: map[string]uint64{},
	}
	for r, n := range s.Counts.Ended {
		j.Ended[r.String()] = n
		if !r.Chosen() {
			j.Lost += n
		}
	}
	for _, c := range s.Claims[:min(len(s.Claims), maxClaims)] {
		j.Claims = append(j.Claims, claimOf(c))
	}
	return j
}

func claimOf(c recipe.Claim) claimJSON {
	j := claimJSON{
		State: c.State.String(), Since: c.Since.UTC(), Node: clean(c.Node, maxError), Blocked: c.Blocked,
		Permits: c.Permits, Slots: c.Slots, LeaseMS: c.LeaseRemaining.Milliseconds(),
	}
	if !c.TryingSince.IsZero() {
		since := c.TryingSince.UTC()
		j.TryingSince = &since
	}
	if c.State == recipe.ClaimWaiting && c.Node != "" {
		j.Position = &c.Position
	}
	if c.Impaired != nil {
		j.Impaired = clean(c.Impaired.Error(), maxError)
	}
	if c.Token != 0 {
		j.Token = strconv.FormatInt(c.Token, 10)
	}
	if c.Reason != 0 {
		j.Reason = c.Reason.String()
	}
	return j
}
