package recipeprom_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipeprom"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// T is the session timeout in these tests, all of them in fake time, and D the length of a lease.
const (
	T = 10 * time.Second
	D = 4 * time.Second
)

// process is one process of a service, with its metrics.
type process struct {
	t        *testing.T
	name     string
	client   *session.Client
	metrics  *recipeprom.Metrics
	registry *prometheus.Registry
}

func start(t *testing.T, e *zktest.Ensemble, name string) *process {
	t.Helper()
	client, err := session.Open(e.ConnectString(), session.Config{Timeout: T, Lease: D, Dial: e.Host(name).Dial})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t, name, client, recipeprom.New(), prometheus.NewPedanticRegistry()}
	p.registry.MustRegister(recipeprom.ForClient(client))
	p.registry.MustRegister(p.metrics)
	return p
}

// run stands for election at path until the client is closed, and leads until told to stop.
func (p *process) run(path string, cfg election.Config) *election.Election {
	p.t.Helper()
	cfg.ID = p.name
	el, err := election.New(p.client, path, cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.metrics.Add("service", el)
	go el.Run(context.Background(), func(ctx context.Context, _ *election.Term) error {
		<-ctx.Done()
		return nil
	})
	return el
}

// figure returns a metric's value, a histogram's count, or NaN if it is absent.
func (p *process) figure(name string, label ...string) float64 {
	p.t.Helper()
	m := p.find(name, label...)
	switch {
	case m == nil:
		return math.NaN()
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	case m.Counter != nil:
		return m.Counter.GetValue()
	}
	return m.Gauge.GetValue()
}

func (p *process) find(name string, label ...string) *dto.Metric {
	p.t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "zkrecipe_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(label) == 0 || labelOf(m, "state")+labelOf(m, "reason") == label[0] {
				return m
			}
		}
	}
	return nil
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// want compares a figure.
func (p *process) want(v float64, name string, label ...string) {
	p.t.Helper()
	if got := p.figure(name, label...); got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
		p.t.Errorf("%s: %s%q is %v, want %v", p.name, name, label, got, v)
	}
}

// between is want for what jitter has a part in.
func (p *process) between(low, high float64, name string) {
	p.t.Helper()
	if got := p.figure(name); !(got >= low && got <= high) {
		p.t.Errorf("%s: %s is %v, want %v to %v", p.name, name, got, low, high)
	}
}

var absent = math.NaN()

func simulate(t *testing.T, f func(t *testing.T, e *zktest.Ensemble)) {
	synctest.Test(t, func(t *testing.T) {
		f(t, zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: T / 10, Logf: func(string, ...any) {}}))
	})
}

// ephemerals returns how many bytes a session's ephemeral znodes take of
// session.Config.EphemeralBytes.
func ephemerals(e *zktest.Ensemble, session int64) (bytes float64) {
	for _, node := range e.Nodes() {
		if node.Stat.EphemeralOwner == session {
			bytes += float64(4 + len(node.Path))
		}
	}
	return bytes
}

// The leader's machine is cut off, its session expires, its heir takes over, and the machine comes
// back.
func TestTheFiguresOfAFailover(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		a, b := start(t, e, "a"), start(t, e, "b")
		defer a.client.Close()
		defer b.client.Close()
		elA := a.run("/service", election.Config{FollowLeader: true})
		await.Sleep(T)
		begun := float64(time.Now().Unix())
		b.run("/service", election.Config{FollowLeader: true})
		await.Sleep(T)

		a.want(1, "election_leader")
		a.want(1, "election_candidates", "leading")
		a.want(0, "election_candidates", "heir")
		a.want(0, "election_position")
		a.want(float64(elA.Status().Token), "election_token")
		a.want(1, "election_win_seconds")
		a.between(begun-T.Seconds()-1, begun-T.Seconds()+2, "election_term_start_time_seconds")
		a.between(D.Seconds()*.7, D.Seconds(), "election_lease_remaining_seconds")
		a.between(18, 25, "session_beat_seconds") // 4 per D, some more for the beginning
		a.want(T.Seconds(), "session_timeout_seconds")
		a.want(D.Seconds(), "session_lease_seconds")
		a.want(1, "session_connected")
		a.want(ephemerals(e, a.client.Status().Session), "session_ephemeral_bytes") // its place and its heartbeat
		b.want(0, "election_leader")
		b.want(1, "election_candidates", "heir")
		b.want(1, "election_position")
		b.between(D.Seconds()*.7, D.Seconds(), "session_lease_remaining_seconds")
		for _, name := range []string{"election_token", "election_term_start_time_seconds", "election_lease_remaining_seconds"} {
			b.want(absent, name)
		}

		token := a.figure("election_token")
		e.Host("a").Hold()
		await.Sleep(2 * T)
		a.want(0, "election_leader")
		a.want(absent, "election_token")
		a.want(1, "election_terms_total", "lease expired")
		a.want(0, "session_connected")
		b.want(1, "election_leader")
		b.want(1, "election_win_seconds")
		b.want(1, "election_leader_changes_total")
		b.want(1, "election_takeovers_total")
		a.want(0, "election_takeovers_total")
		b.want(0, "election_withheld_total")
		b.want(0, "election_leaderless_seconds_total") // as seen from there
		if next := b.figure("election_token"); !(next > token) {
			t.Errorf("token %v after %v", next, token)
		}

		await.Sleep(2 * T) // by now the session is presumed lost, and there is no other
		a.want(1, "election_candidates", "joining")
		a.want(1, "session_lost_total")
		a.want(0, "session_ephemeral_bytes")
		if a.figure("election_failures_total") == 0 {
			t.Error("nothing tells of the time without a session")
		}

		e.Host("a").Heal()
		await.Sleep(2 * T)
		a.want(1, "election_candidates", "heir")
		a.want(1, "election_reentry_seconds")
		a.want(1, "election_drain_seconds")
		a.want(1, "session_lost_total")
		a.want(2, "session_opened_total")
		if a.figure("session_beat_failures_total") == 0 {
			t.Error("no beat has failed on the way")
		}
		b.want(0, "session_lost_total")
		b.want(0, "election_reentry_seconds")
	})
}

func TestAServiceThatEndsItsTermsIsSeenToDoSo(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		var heard []election.EventKind
		el, err := election.New(p.client, "/service", election.Config{
			OnEvent: func(ev election.Event) { heard = append(heard, ev.Kind) }})
		if err != nil {
			t.Fatal(err)
		}
		p.metrics.Add("service", el)
		p.metrics.Add("service", el) // once more does no harm
		terms := 0
		el.Run(t.Context(), func(ctx context.Context, _ *election.Term) error {
			if terms++; terms == 3 {
				return election.ErrStop
			}
			time.Sleep(time.Second)
			return nil
		})
		p.want(2, "election_terms_total", "returned")
		p.want(1, "election_terms_total", "stopped")
		p.want(0, "election_terms_total", "session lost")
		p.want(3, "election_win_seconds")
		p.want(3, "election_drain_seconds")
		p.want(2, "election_reentry_seconds")
		p.want(1, "election_candidates", "idle")
		p.want(absent, "election_position")
		p.want(absent, "election_leader_changes_total") // nobody has asked for it
		p.want(absent, "election_leaderless_seconds_total")
		if len(heard) != 3*4 { // joined, elected, deposed, left
			t.Errorf("the user's OnEvent has heard %v", heard)
		}
		p.client.Close()
	})
}

func TestAThousandShardsMakeNoMoreSeriesThanOne(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		var shards []*election.Election
		series := 0
		for i := range 1000 {
			shards = append(shards, p.run(fmt.Sprintf("/shards/%d", i), election.Config{}))
			if i == 0 {
				await.Sleep(T)
				series = p.series()
			}
		}
		await.Sleep(T)
		p.want(1000, "election_leader")
		p.want(1000, "election_candidates", "leading")
		if n := p.series(); n != series || n > 45 {
			t.Errorf("%d metrics for 1000 shards, %d for one", n, series)
		}
		newest := int64(0)
		for _, el := range shards {
			newest = max(newest, el.Status().Token)
		}
		p.want(float64(newest), "election_token")
		for _, el := range shards[1:] {
			p.metrics.Remove(el)
		}
		p.want(1, "election_leader")
		p.want(1000, "election_win_seconds")
	})
}

// series counts a histogram as one.
func (p *process) series() int {
	p.t.Helper()
	n, err := testutil.GatherAndCount(p.registry)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func TestAPersistentZnodeAheadIsReportedUntilItIsGone(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		s, err := p.client.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		const left = "/service/_c_6d9c7c1e-1cb2-4f6e-8f0a-b1fd3b2d0d2b-latch-0000000000"
		if err := s.EnsurePath(t.Context(), left, nil); err != nil {
			t.Fatal(err)
		}
		// The next number must be larger than that of the one left behind.
		made, err := s.Create(t.Context(), "/service/n", nil, 2, nil)
		if err != nil {
			t.Fatal(made, err)
		}
		p.run("/service", election.Config{})
		await.Sleep(T)
		p.want(1, "election_blocked")
		p.want(0, "election_leader")
		if err := s.Delete(t.Context(), left, -1); err != nil {
			t.Fatal(err)
		}
		await.Sleep(T)
		p.want(0, "election_blocked")
		p.want(1, "election_leader")
	})
}

// The path holds somebody else's data, and then the leader's znode is deleted by hand.
func TestWhatMakesAChangeOfLeaderSlowerIsCounted(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		a, b := start(t, e, "a"), start(t, e, "b")
		defer a.client.Close()
		defer b.client.Close()
		s, err := b.client.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.EnsureNode(t.Context(), "/service", []byte("ours"), nil); err != nil {
			t.Fatal(err)
		}
		el := a.run("/service", election.Config{})
		await.Sleep(T)
		b.run("/service", election.Config{})
		await.Sleep(T)
		b.want(1, "election_impaired")
		b.want(1, "election_impairments_total")
		b.want(0, "election_withheld_total")
		if err := s.Delete(t.Context(), el.Status().Node, -1); err != nil {
			t.Fatal(err)
		}
		await.Sleep(D / 2)
		b.want(1, "election_withheld_total")
		b.want(0, "election_leader")
		await.Sleep(D)
		b.want(1, "election_leader")
		b.want(0, "election_takeovers_total")
	})
}

func TestPrometheusFindsNothingToLint(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		p.run("/service", election.Config{FollowLeader: true})
		await.Sleep(T)
		problems, err := testutil.GatherAndLint(p.registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
		p.client.Close()
	})
}

func TestTwoElectionsAreToldApartByTheirNames(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		for _, name := range []string{"a", "b"} {
			el, err := election.New(p.client, "/"+name, election.Config{})
			if err != nil {
				t.Fatal(err)
			}
			p.metrics.Add(name, el)
		}
		n, err := testutil.GatherAndCount(p.registry, "zkrecipe_election_leader")
		if n != 2 || err != nil {
			t.Errorf("%d series, %v", n, err)
		}
	})
}

// Some candidates have got credentials already, and this process has none.
func TestAHiddenLeaderCountsAsALeader(t *testing.T) {
	for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} { // the newer wants READ for exists
		t.Run(string(release), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := zktest.Start(t, zktest.Config{Release: release, Servers: 3, InMemory: true, Tick: T / 10, Logf: func(string, ...any) {}})
				p := start(t, e, "a")
				defer p.client.Close()
				s := must(p.client.Session(t.Context()))
				for _, path := range []string{"/service", "/zkrecipe/beats"} { // everybody's
					if err := s.EnsurePath(t.Context(), path, nil); err != nil {
						t.Fatal(err)
					}
				}
				secret := must(session.Open(e.ConnectString(), session.Config{
					Timeout: T, Lease: D, Dial: e.Host("secret").Dial, Auth: []session.Auth{session.Digest("u", "p")}}))
				defer secret.Close()
				other := must(election.New(secret, "/service", election.Config{}))
				first := must(other.Campaign(t.Context()))
				p.run("/service", election.Config{FollowLeader: true})
				await.Sleep(time.Minute)
				p.want(0, "election_leader_changes_total")
				p.want(0, "election_leaderless_seconds_total")
				p.want(0, "election_failures_total")
				p.want(1, "election_candidates", "heir")
				if err := first.Release(t.Context()); err != nil {
					t.Fatal(err)
				}
				await.Sleep(T)
				p.want(1, "election_leader")
				p.want(1, "election_leader_changes_total")
				p.want(0, "election_leaderless_seconds_total")
				p.want(0, "election_failures_total")
			})
		})
	}
}
