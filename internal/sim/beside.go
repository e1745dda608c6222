package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Members, a counter, caches of a tree and a double barrier stand beside the elections of a run if
// its plan has Others. Each process uses all of them on its one client.

const (
	counterPath = "/others/n"
	treePath    = "/others/tree"
	groupPath   = "/others/g"
	doublePath  = "/others/d"
	// pair is how many enter the double barrier together.
	pair = 2
)

// others is what the checker knows of them.
type others struct {
	*checker
	mu            sync.Mutex // guards what follows
	sure, perhaps int64      // what was added to the counter
	sums          map[int64]bool
	members       map[string]string    // of the double barrier: who has the znode of that name
	counted       map[string]time.Time // when one was let in there last
	still         bool                 // nobody changes the tree, so that it can be compared
	ending        bool                 // the processes are ended
	leaving       map[string]bool
	caches        map[*proc]*cache.Cache
	lists         map[*proc]*group.Members
	tree          tree
	done          int // what has succeeded
}

func newOthers(c *checker) *others {
	return &others{
		checker: c, sums: map[int64]bool{}, leaving: map[string]bool{}, caches: map[*proc]*cache.Cache{}, lists: map[*proc]*group.Members{},
		members: map[string]string{}, counted: map[string]time.Time{}, tree: tree{znodes: map[string]stamp{}},
	}
}

// runOthers lets a process use all of them until ctx ends.
func (p *proc) runOthers(ctx context.Context, log *slog.Logger, seed int64) {
	rng := rand.New(rand.NewSource(seed))
	for _, use := range []func(ctx context.Context, log *slog.Logger, rng *rand.Rand){p.add, p.follow, p.change, p.belong, p.meet} {
		rng := rand.New(rand.NewSource(rng.Int63()))
		p.running.Go(func() { use(ctx, log, rng) })
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// rest lets up to d pass.
func (p *proc) rest(ctx context.Context, rng *rand.Rand, d time.Duration) {
	clock.Sleep(ctx, p.clock, time.Duration(rng.Int63n(int64(d))))
}

// within bounds ctx by a time of up to d.
func (p *proc) within(ctx context.Context, rng *rand.Rand, d time.Duration) (context.Context, context.CancelFunc) {
	return clock.WithTimeout(ctx, p.clock, time.Duration(rng.Int63n(int64(d))))
}

// add adds to the counter. All that is added is positive, so that no sum comes twice.
func (p *proc) add(ctx context.Context, _ *slog.Logger, rng *rand.Rand) {
	o, n := p.w.others, must(value.NewCounter(p.client, counterPath, value.CounterConfig{}))
	for ; ctx.Err() == nil; p.rest(ctx, rng, time.Second) {
		bounded, cancel := p.within(ctx, rng, 30*time.Second)
		delta := 1 + rng.Int63n(9)
		sum, err := n.Add(bounded, delta)
		cancel()
		o.mu.Lock()
		var unknown *value.UnknownError
		switch {
		case err == nil:
			if o.sums[sum] {
				o.report("counter", "two additions have made %d", sum)
			}
			o.sums[sum] = true
			o.sure += delta
			o.done++
		case errors.As(err, &unknown):
			o.perhaps += delta
		}
		o.mu.Unlock()
	}
}

// follow keeps a copy of the tree.
func (p *proc) follow(ctx context.Context, _ *slog.Logger, rng *rand.Rand) {
	c := must(cache.New(p.client, treePath, cache.Config{}))
	defer c.Close()
	var freshening sync.WaitGroup
	freshening.Go(func() { p.freshen(ctx, c, rng) })
	defer freshening.Wait()
	p.w.others.mu.Lock()
	p.w.others.caches[p] = c
	p.w.others.mu.Unlock()
	last := map[string]int64{}
	for ctx.Err() == nil {
		change, err := c.Next(ctx)
		if err != nil {
			return
		}
		if now := change.Now; now != nil {
			if now.Stat.Mzxid < last[change.Path] {
				p.w.others.report("cache", "%s has seen zxid %d of %s after %d", p.name, now.Stat.Mzxid, change.Path, last[change.Path])
			}
			last[change.Path] = now.Stat.Mzxid
		}
	}
}

// change changes the tree.
func (p *proc) change(ctx context.Context, _ *slog.Logger, rng *rand.Rand) {
	o := p.w.others
	for i := 0; ctx.Err() == nil; i++ {
		p.rest(ctx, rng, 2*time.Second)
		o.mu.Lock()
		still := o.still
		o.mu.Unlock()
		s, err := p.client.Session(ctx)
		if err != nil || still {
			continue
		}
		bounded, cancel := p.within(ctx, rng, 5*time.Second)
		node := fmt.Sprintf("%s/%d", treePath, rng.Intn(3))
		if rng.Intn(2) == 0 {
			node += fmt.Sprintf("/%d", rng.Intn(2))
		}
		switch data := []byte(p.name + " " + strconv.Itoa(i)); rng.Intn(4) {
		case 0:
			s.Create(bounded, node, data, zk.FlagPersistent, nil)
		case 1:
			s.Delete(bounded, node, -1)
		default:
			s.Set(bounded, node, data, -1)
		}
		cancel()
	}
}

// belong is a member of the group, which leaves now and then.
func (p *proc) belong(ctx context.Context, log *slog.Logger, rng *rand.Rand) {
	o := p.w.others
	g := must(group.New(p.client, groupPath, group.Config{ID: p.name, Logger: log, NoLease: rng.Intn(3) == 0}))
	list := g.Watch()
	defer list.Close()
	o.mu.Lock()
	o.lists[p] = list
	o.mu.Unlock()
	for ; ctx.Err() == nil; p.rest(ctx, rng, 5*time.Second) {
		o.leaves(p.name, false)
		m, err := g.Join(ctx)
		if err != nil {
			return
		}
		for i := range rng.Intn(20) {
			p.rest(ctx, rng, 5*time.Second)
			bounded, cancel := p.within(ctx, rng, 5*time.Second)
			m.Set(bounded, []byte(strconv.Itoa(i)))
			cancel()
		}
		for o.stands() { // until it has been compared
			if clock.Sleep(ctx, p.clock, time.Second) != nil {
				break
			}
		}
		o.leaves(p.name, true)
		m.Leave(ctx)
	}
}

func (o *others) stands() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.still && !o.ending
}

// leaves notes whether a member may be unlisted by its own will.
func (o *others) leaves(name string, leaves bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.leaving[name] = leaves
	o.done++
}

// meet enters the double barrier and leaves it.
func (p *proc) meet(ctx context.Context, _ *slog.Logger, rng *rand.Rand) {
	o, d := p.w.others, must(barrier.NewDouble(p.client, doublePath, pair, barrier.Config{ID: p.name}))
	for ; ctx.Err() == nil; p.rest(ctx, rng, 3*time.Second) {
		begun := time.Now()
		bounded, cancel := p.within(ctx, rng, time.Minute)
		round, err := d.Enter(bounded)
		cancel()
		if err != nil {
			continue
		}
		o.entered(p.name, begun)
		p.rest(ctx, rng, 3*time.Second)
		bounded, cancel = p.within(ctx, rng, time.Minute)
		round.Leave(bounded)
		cancel()
	}
}

// entered demands that one that was let in has been counted in since it has called Enter.
func (o *others) entered(who string, begun time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done++
	if o.counted[who].Before(begun) {
		o.report("barrier", "%s was let in, and was not counted in", who)
	}
}

// barred follows the double barrier: when its "ready" is created, so many have to be there.
func (o *others) barred(ch zktest.Change) {
	name, ok := strings.CutPrefix(ch.Path, doublePath+"/")
	switch {
	case !ok:
	case ch.Op == zktest.OpDelete:
		delete(o.members, name)
	case ch.Op == zktest.OpCreate && name != "ready":
		o.members[name] = string(ch.Data)
	case ch.Op == zktest.OpCreate:
		n := 0
		for member, who := range o.members {
			if strings.Contains(string(ch.Data), member) {
				n++
				o.counted[who] = time.Now()
			}
		}
		if n != pair {
			o.report("barrier", "%d are let in: %q", n, ch.Data)
		}
	}
}

// committed sees every transaction: a member's znode goes with its session, by its own will, or
// when another takes its place at once.
func (o *others) committed(c zktest.Commit) {
	if c.Err != zktest.CodeOK {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ch := range c.Changes {
		o.barred(ch)
		o.tree.change(ch, c.Zxid)
	}
	if c.Op == zktest.OpCloseSession {
		return
	}
	made := map[string]bool{}
	for _, ch := range c.Changes {
		if ch.Op == zktest.OpCreate {
			made[ch.Path] = true
		}
	}
	for _, ch := range c.Changes {
		if name, ok := strings.CutPrefix(ch.Path, groupPath+"/"); ok && ch.Op == zktest.OpDelete && !made[ch.Path] && !o.leaving[name] && !o.ending {
			o.report("flap", "the znode of member %s is deleted by %v of 0x%x", name, c.Op, c.Session)
		}
	}
}

// compare demands, when faults are long over, that caches and lists show what there is.
func (w *world) compare() {
	o := w.others
	o.mu.Lock()
	o.still = true
	o.mu.Unlock()
	time.Sleep(2*w.plan.Timeout + 20*time.Second) // for what is under way, and for the longest delay before a member is back
	for _, p := range w.procs {
		if p.crashed.Load() {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		w.compareCache(ctx, p)
		w.compareList(ctx, p)
		cancel()
	}
}

func (w *world) compareCache(ctx context.Context, p *proc) {
	c := w.others.caches[p]
	if err := c.Fresh(ctx); err != nil {
		w.check.report("cache", "%s: %v", p.name, err)
		return
	}
	got := must(c.Snapshot(ctx))
	for _, n := range w.ens.Nodes() {
		if n.Path != treePath && !strings.HasPrefix(n.Path, treePath+"/") {
			continue
		}
		if have, ok := got.Nodes[n.Path]; !ok || have.Stat.Mzxid != n.Stat.Mzxid || string(have.Data) != string(n.Data) {
			w.check.report("cache", "%s has %s at zxid %d with %q; it is %q since %d", p.name, n.Path, have.Stat.Mzxid, have.Data, n.Data, n.Stat.Mzxid)
		}
		delete(got.Nodes, n.Path)
	}
	for node := range got.Nodes {
		w.check.report("cache", "%s has %s, which does not exist", p.name, node)
	}
}

func (w *world) compareList(ctx context.Context, p *proc) {
	list, err := w.others.lists[p].Fresh(ctx)
	if err != nil {
		w.check.report("group", "%s: %v", p.name, err)
		return
	}
	sessions, there := w.sessions(), map[string]bool{}
	for _, n := range w.ens.Nodes() {
		if path.Dir(n.Path) != groupPath {
			continue
		}
		there[path.Base(n.Path)] = true
		if sessions[n.Stat.EphemeralOwner] == nil {
			w.check.report("group", "member %s belongs to nobody", n.Path)
		}
	}
	for _, m := range list.Members {
		if !there[m.ID] {
			w.check.report("group", "%s lists %s, which is not there", p.name, m.ID)
		}
		delete(there, m.ID)
	}
	for id := range there {
		w.check.report("group", "%s does not list %s", p.name, id)
	}
}

// end says that the processes are ended.
func (o *others) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = true
}

// checkSum demands that the counter is the sum of what was added. It may differ by the additions
// whose outcome is unknown.
func (w *world) checkSum() {
	o := w.others
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range w.ens.Nodes() {
		if n.Path != counterPath {
			continue
		}
		if end, _ := strconv.ParseInt(string(n.Data), 10, 64); end < o.sure || end > o.sure+o.perhaps {
			o.report("counter", "it is %d; %d was added for sure, %d more perhaps", end, o.sure, o.perhaps)
		}
	}
	if o.done == 0 {
		o.report("liveness", "nothing was added, nobody has joined or entered")
	}
}
