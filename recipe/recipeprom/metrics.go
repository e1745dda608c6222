package recipeprom

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
)

// Metrics is a prometheus.Collector of any number of recipes. Register it once. What it has counted
// stays until the process ends. All methods may be called from any goroutine.
type Metrics struct {
	vectors *vectors

	mu    sync.Mutex // guards what follows, and all sets; never held while anybody is waited for
	sets  map[string]*set
	added map[any]*set
}

const (
	// maxNames bounds the values of the label name, and with it the number of series.
	maxNames = 100
	// other is the name under which all further names count.
	other = "other"
)

// New returns Metrics that count nothing yet.
func New() *Metrics {
	return &Metrics{vectors: newVectors(), sets: map[string]*set{}, added: map[any]*set{}}
}

// Add collects the figures of recipes under a name, the value of the label name. It takes an
// [election.Election], a [lock.Lock], a [lock.RW], a [semaphore.Semaphore], a [group.Member], a
// [group.Members], a [cache.Cache], a [value.Value] or a [value.Counter], and panics on anything
// else. Call it before an election runs: the events before are not counted. What has been added
// before stays as it is.
//
// The name says what the recipe is for. It is the same in all processes, and the same for all of a
// kind: a path, or an ID, would make a series of each. Figures of one name are added up. After 100
// names further ones count as "other".
func (m *Metrics) Add(name string, recipes ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range parts(recipes) {
		if m.added[r] == nil {
			s := m.set(name)
			s.add(m, r)
			m.added[r] = s
		}
	}
}

// Remove ends what Add began, for recipes that are not used any more, as the lock of one object
// among many. What was counted stays. What still waits or is held then is not counted.
func (m *Metrics) Remove(recipes ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range parts(recipes) {
		if s := m.added[r]; s != nil {
			s.remove(r)
			delete(m.added, r)
		}
	}
}

// parts takes read-write locks apart. It panics on a nil pointer, which would panic later
// otherwise, far from the mistake.
func parts(recipes []any) (all []any) {
	for _, r := range recipes {
		if v := reflect.ValueOf(r); v.Kind() == reflect.Pointer && v.IsNil() {
			panic(fmt.Sprintf("recipeprom: a %T was given that is nil", r))
		}
		if rw, ok := r.(*lock.RW); ok {
			all = append(all, rw.Read(), rw.Write())
			continue
		}
		all = append(all, r)
	}
	return all
}

// set returns what has a name. The caller holds m.mu, here and below.
func (m *Metrics) set(name string) *set {
	name = strings.ToValidUTF8(name, "\uFFFD") // Prometheus refuses anything else
	if s := m.sets[name]; s != nil {
		return s
	}
	if len(m.sets) >= maxNames && name != other {
		return m.set(other)
	}
	m.sets[name] = newSet(name)
	return m.sets[name]
}

// set is all that has one name. What is nil has nothing to tell.
type set struct {
	name       string
	elections  *elections
	locks      *polled[lineStatus]
	semaphores *polled[lineStatus]
	members    *polled[group.MemberStatus]
	lists      *polled[group.MembersStatus]
	caches     *polled[cache.Status]
	values     *polled[value.Counts]
}

func newSet(name string) *set {
	return &set{
		name:  name,
		locks: newPolled(addLine), semaphores: newPolled(addLine),
		members: newPolled(addMember), lists: newPolled(addMembers), caches: newPolled(addCache), values: newPolled(addCounts),
	}
}

func (s *set) add(m *Metrics, r any) {
	switch r := r.(type) {
	case *election.Election:
		if s.elections == nil {
			s.elections = newElections(m.vectors, s.name)
		}
		s.elections.add(&m.mu, r)
	case *lock.Lock:
		s.locks.open[r] = r.Status
	case *semaphore.Semaphore:
		s.semaphores.open[r] = r.Status
	case *group.Member:
		s.members.open[r] = r.Status
	case *group.Members:
		s.lists.open[r] = r.Status
	case *cache.Cache:
		s.caches.open[r] = r.Status
	case *value.Value:
		s.values.open[r] = r.Counts
	case *value.Counter:
		s.values.open[r] = r.Counts
	default:
		panic(fmt.Sprintf("recipeprom: Add was given a %T; want a pointer to an Election, Lock, RW, Semaphore, Member, Members, Cache, Value or Counter", r))
	}
}

func (s *set) remove(r any) {
	if el, ok := r.(*election.Election); ok {
		s.elections.remove(el)
		return
	}
	s.locks.remove(r)
	s.semaphores.remove(r)
	s.members.remove(r)
	s.lists.remove(r)
	s.caches.remove(r)
	s.values.remove(r)
}

// polled are recipes of one kind that are asked at each scrape. S is what they answer.
type polled[S any] struct {
	open map[any]func() S
	past S                    // totals of those that were removed
	plus func(total, one S) S // adds the totals of one
	used bool
}

func newPolled[S any](plus func(total, one S) S) *polled[S] {
	return &polled[S]{open: map[any]func() S{}, plus: plus}
}

func (p *polled[S]) remove(r any) {
	if status := p.open[r]; status != nil {
		p.used = true
		p.past = p.plus(p.past, status())
		delete(p.open, r)
	}
}

// ask returns the totals of all, and the answers of those that are there. ok is false if there has
// never been any.
func (p *polled[S]) ask() (total S, now []S, ok bool) {
	total = p.past
	for _, status := range p.open {
		st := status()
		total = p.plus(total, st)
		now = append(now, st)
	}
	return total, now, p.used || len(now) > 0
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range perName {
		ch <- d
	}
	for _, v := range m.vectors.all() {
		v.Describe(ch)
	}
}

// Collect implements prometheus.Collector. It asks each recipe for its Status, which does not
// block.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, one := range m.collect(time.Now()) {
		ch <- one
	}
	for _, v := range m.vectors.all() {
		v.Collect(ch)
	}
}

func (m *Metrics) collect(now time.Time) []prometheus.Metric {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []prometheus.Metric
	for _, s := range m.sets {
		o := &out{name: s.name}
		if s.elections != nil {
			s.elections.collect(o, now)
		}
		collectLines(o, lockDescs, s.locks, now)
		collectLines(o, semaphoreDescs, s.semaphores, now)
		collectMembers(o, s.members)
		collectLists(o, s.lists)
		collectCaches(o, s.caches)
		collectValues(o, s.values)
		all = append(all, o.all...)
	}
	return all
}
