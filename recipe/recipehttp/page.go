package recipehttp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// Config configures a [Page]. The zero value works.
type Config struct {
	// Title is the page's. Default "ZooKeeper recipes".
	Title string

	// Data shows the beginning of the data of each candidate and member, [election.Config.Data] or
	// [group.Config.Data]. Default: they are not shown, and are not in the JSON either. They may be
	// an address that not everybody should know.
	Data bool

	// Terms is how many past terms each election remembers. Default 50, at most 1000.
	Terms int

	// Refresh is the time between two requests of the page. It is also the least time between two
	// readings of an election's line, for any number of viewers. Default 1 s; 100 ms to 1 min.
	Refresh time.Duration
}

// Page is a status page, an [http.Handler]. It shows elections: who leads, who comes next, and who
// led before. It shows what this process holds and waits for of locks and semaphores, its members
// of groups, who else is in them, and its caches. All methods may be called from any goroutine.
//
// It is read-only, asks for no credentials and shows none. Everybody who reaches it sees the
// candidates' IDs, znodes, session ids and fencing tokens, and the errors that callbacks of this
// process have returned. So mount it where that is wanted.
type Page struct {
	cfg     Config
	ctx     context.Context // ends with the page
	cancel  context.CancelFunc
	work    sync.WaitGroup // all goroutines of the page; Close waits for them
	recipes recipes

	mu     sync.Mutex // guards what follows
	views  []*View
	closed bool     // no goroutine is started any more
	stops  []func() // end the subscriptions
}

var _ http.Handler = (*Page)(nil)

// New returns an empty page; see [Page.Observe] and [Page.Add].
func New(cfg Config) (*Page, error) {
	cfg.Title = clean(cmp.Or(cfg.Title, "ZooKeeper recipes"), maxText)
	cfg.Terms = cmp.Or(cfg.Terms, 50)
	cfg.Refresh = cmp.Or(cfg.Refresh, time.Second)
	if cfg.Terms < 1 || cfg.Terms > 1000 {
		return nil, fmt.Errorf("recipehttp: Config.Terms is %d; want 1 to 1000, or 0 for 50", cfg.Terms)
	}
	if cfg.Refresh < 100*time.Millisecond || cfg.Refresh > time.Minute {
		return nil, fmt.Errorf("recipehttp: Config.Refresh is %v; want 100ms to 1m, or 0 for 1s", cfg.Refresh)
	}
	p := &Page{cfg: cfg}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Observe adds the election at path to the page, below those added before, until the page or the
// client is closed. It costs the ensemble what an [election.Observer] does. While somebody looks at
// the page, the page also reads the line, znode by znode: at most once per Refresh, and at most 100
// znodes a second on average.
func (p *Page) Observe(client *session.Client, path string) (*View, error) {
	el, err := election.New(client, path, election.Config{})
	if err != nil {
		return nil, err
	}
	v := &View{page: p, client: client, path: path, election: el, observer: el.Observe(), stops: map[*election.Election]func(){}}
	v.history.size = p.cfg.Terms
	if !p.start(v.follow) {
		v.observer.Close()
		return nil, fmt.Errorf("recipehttp: the page is closed")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.views = append(p.views, v)
	return v, nil
}

// addElection is Add for an election. The caller holds recipes.mu.
func (p *Page) addElection(el *election.Election) {
	client, path := el.Client(), el.Status().Path
	p.mu.Lock()
	i := slices.IndexFunc(p.views, func(v *View) bool { return v.client == client && v.path == path })
	var v *View
	if i >= 0 {
		v = p.views[i]
	}
	p.mu.Unlock()
	if v == nil {
		var err error
		if v, err = p.Observe(client, path); err != nil {
			return // the page is closed, and shows nothing new
		}
		v.added = true
	}
	v.Add(el)
}

// removeElection is Remove for an election. The caller holds recipes.mu.
func (p *Page) removeElection(el *election.Election) {
	var gone []*View
	p.mu.Lock()
	p.views = slices.DeleteFunc(p.views, func(v *View) bool {
		if v.client != el.Client() || v.path != el.Status().Path || !v.remove(el) || !v.added {
			return false
		}
		gone = append(gone, v)
		return true
	})
	p.mu.Unlock()
	for _, v := range gone {
		v.observer.Close()
	}
}

// Close ends all that the page does, and waits for that. The page then shows what was known last.
// Close does not end clients or candidates.
func (p *Page) Close() {
	p.mu.Lock()
	p.closed = true
	for _, stop := range p.stops {
		stop()
	}
	p.stops = nil
	p.mu.Unlock()
	p.cancel()
	p.work.Wait()
}

// keep keeps the function that ends a subscription. Close calls it.
func (p *Page) keep(stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		stop()
		return
	}
	p.stops = append(p.stops, stop)
}

// start starts a goroutine of the page, unless that is closed.
func (p *Page) start(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.work.Go(f)
	return true
}

// View is one election on a [Page]. A process that stands in no election needs it; others may use
// [Page.Add]. All methods may be called from any goroutine.
type View struct {
	page     *Page
	client   *session.Client
	path     string
	election *election.Election // to look at
	observer *election.Observer
	history  history
	line     line

	added bool // by Page.Add; guarded by the page's recipes.mu

	mu    sync.Mutex // guards what follows
	own   []*election.Election
	stops map[*election.Election]func() // end their subscriptions
	ended error                         // why observing has ended
}

// Add adds candidates of this process, in this election. Then the page shows how they stand, the
// lease of the one that leads, and why their terms ended. Only the process of a candidate knows
// that. Call it before Run or Campaign, or the page misses what has happened earlier.
func (v *View) Add(candidates ...*election.Election) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, el := range candidates {
		if !slices.Contains(v.own, el) {
			v.own = append(v.own, el)
			v.stops[el] = el.Subscribe(v.history.record)
			v.page.keep(v.stops[el])
		}
	}
}

// remove ends what Add began. It reports whether no candidate of this process is left.
func (v *View) remove(el *election.Election) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if stop := v.stops[el]; stop != nil {
		stop()
		delete(v.stops, el)
		v.own = slices.DeleteFunc(v.own, func(own *election.Election) bool { return own == el })
	}
	return len(v.own) == 0
}

// follow keeps the history until the page or the client is closed.
func (v *View) follow() {
	defer v.observer.Close()
	for {
		leader, err := v.observer.Next(v.page.ctx)
		if err != nil {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.ended = err
			return
		}
		v.history.observed(leader, time.Now())
	}
}

// state returns the candidates of this process, and why observing has ended if it has.
func (v *View) state() (own []election.Status, ended error) {
	v.mu.Lock()
	elections := slices.Clone(v.own)
	ended = v.ended
	v.mu.Unlock()
	for _, e := range elections {
		own = append(own, e.Status())
	}
	return own, ended
}
