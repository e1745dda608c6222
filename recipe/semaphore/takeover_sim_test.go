package semaphore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A holder is cut off for most of a lease, and beats again just before it is over. The one that
// waits hears of that beat too late: its server lags a little. When it takes over, the heartbeat
// has another version than the one that it has heard.
func TestNobodyTakesOverAfterABeatThatWasNotHeard(t *testing.T) {
	const phases = 7 // in which the beats of the two may meet so; chance decides, too
	for seed := range int64(4 * phases) {
		beats, taken := make(chan int64, 1000), make(chan struct{}, 10)
		cfg := zktest.Config{Seed: seed, OnCommit: func(c zktest.Commit) {
			for _, ch := range c.Changes {
				switch {
				case ch.Op == zktest.OpSetData && strings.HasPrefix(ch.Path, "/zkrecipe/beats/"):
					beats <- c.Session
				case ch.Op == zktest.OpDelete && strings.HasPrefix(ch.Path, stagePath+"/leases/"):
					taken <- struct{}{}
				}
			}
		}}
		onStage(t, 1, cfg, func(t *testing.T, s *stage) {
			beats, taken = make(chan int64, 1000), make(chan struct{}, 10)
			s.Config.Timeout, s.Config.Lease = 10*stageT, stageD
			s.servers = []string{s.Leader().Addr()}
			a := s.process("a", semaphore.Config{StopBefore: time.Millisecond})
			s.servers = nil
			b := s.process("b")
			held := a.acquire()
			lagging := s.Followers()[0]
			for s.Session(b.client); s.serverOf(b) != lagging.ID(); {
				b.host.Cut()
				await.Sleep(stageD / 8)
			}
			await.Sleep(time.Duration(seed%phases) * stageD / 160)
			waiting := b.queue()
			await.Sleep(2 * stageD)
			for len(beats) > 0 {
				<-beats
			}
			for <-beats != s.Session(a.client).ID() {
			}
			a.host.Hold(zktest.ToServer)
			await.Sleep(stageD / 8) // the other has heard it
			s.Link(s.Leader(), lagging).Delay(stageD / 6)
			await.Sleep(stageD*31/32 - stageD/8)
			a.host.Heal()
			select {
			case <-taken:
			case <-time.After(stageD):
			}
			s.Link(s.Leader(), lagging).Heal()
			await.Sleep(stageD / 8)
			if !held.Valid() {
				t.Error("it was lost")
			}
			held.Release(t.Context())
			<-waiting // which looks at the other
		})
	}
}

// serverOf returns the server that a process's session is at, or 0.
func (s *stage) serverOf(p *process) int {
	for _, at := range s.Sessions() {
		if at.ID == s.sessionOf(p) {
			return at.Server
		}
	}
	return 0
}
