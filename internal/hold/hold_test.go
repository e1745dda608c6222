package hold

import (
	"strings"
	"testing"
)

func TestEachPlaceIsReachedHeldAndLetGo(t *testing.T) {
	for _, p := range places {
		t.Run(p.Name, func(t *testing.T) {
			s := newFixture(t, p.Mode)
			held, err := s.vm.Hold(s.ctx, p.Place)
			s.must(err)
			if p.provoke != nil {
				p.provoke(s)
			}
			thread, err := held.Wait(s.ctx)
			s.must(err)
			t.Logf("held %s of server %d", thread, s.server.ID())
			if !strings.Contains(thread, p.thread) {
				t.Errorf("the thread is %q, want %q", thread, p.thread)
			}
			afterwards := p.during(s)
			s.must(held.Release(s.ctx))
			afterwards()
			s.must(held.Release(s.ctx)) // no harm
			s.serves()
		})
	}
	if len(places) != len(Places) {
		t.Errorf("%d places are tried, there are %d", len(places), len(Places))
	}
}

// serves demands that every server carries out a write.
func (s *fixture) serves() {
	s.Helper()
	for _, conn := range append(s.others, s.here) {
		_, err := conn.Set("/", nil, -1)
		s.must(err)
	}
}

func TestThreadsAreHeldAtSeveralPlacesAtOnce(t *testing.T) {
	s := newFixture(t, "leader")
	var all []*Held
	for _, p := range []Place{Prepare, PingLoop, LearnerPacket} {
		held, err := s.vm.Hold(s.ctx, p)
		s.must(err)
		all = append(all, held)
	}
	s.askToWrite()
	for _, held := range all {
		_, err := held.Wait(s.ctx)
		s.must(err)
	}
	for _, held := range all {
		s.must(held.Release(s.ctx))
	}
	something(s, s.asked)
	s.serves()
}

func TestWhatIsReleasedBeforeAnybodyComesHoldsNobody(t *testing.T) {
	s := newFixture(t, "follower")
	for range 20 {
		held, err := s.vm.Hold(s.ctx, Commit)
		s.must(err)
		s.touchNothing() // somebody may come before, during and after
		s.must(held.Release(s.ctx))
	}
	s.serves()
}

func TestClosingLetsGo(t *testing.T) {
	s := newFixture(t, "follower")
	held, err := s.vm.Hold(s.ctx, PingReply)
	s.must(err)
	_, err = held.Wait(s.ctx)
	s.must(err)
	s.must(s.vm.Close())
	s.serves()
	if _, err := held.Wait(s.ctx); err == nil {
		t.Error("a thread is held without a debugger")
	}
	again, err := Attach(s.ctx, Address(s.server.DebugAddr()))
	s.must(err)
	s.must(again.Close())
}

func TestAPlaceThatIsNotThereIsAnError(t *testing.T) {
	s := newFixture(t, "follower")
	for want, p := range map[string]Place{
		"loaded 0 times": {"x", server + "NoSuchClass", "run", "x", ""},
		"0 methods":      {"x", server + "quorum.CommitProcessor", "noSuchMethod", "x", ""},
		"0 times":        {"x", server + "quorum.CommitProcessor", "run", "noSuchCall", ""},
		"want once":      {"x", server + "quorum.CommitProcessor", "run", "isEmpty", ""},
	} {
		if held, err := s.vm.Hold(s.ctx, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, %v; want %q", p, held, err, want)
		}
	}
}
