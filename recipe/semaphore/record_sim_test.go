package semaphore_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Somebody has copied a record to this path, with slots of permits whose numbers do not exist here
// yet. "a" does not find these permits in the list. Meanwhile "b" gets one of their numbers, and a
// slot.
func TestSlotsInARecordThatWasCopiedBelongToNobody(t *testing.T) {
	var host *zktest.Host
	brake := func(r zktest.Request) { // "b" has found room, and is about to create its znode
		if host != nil && r.Host == "b" && r.Op == zktest.OpExists && r.Path == stagePath+"/leases" {
			go host.Hold(zktest.ToServer)
			host = nil
		}
	}
	onStage(t, 0, zktest.Config{OnRequest: brake}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 5*stageT, stageD
		s.copied("zkrecipe semaphore 1\nsize 2\nlease 4s\npath 500000012-18b3d2a4c10\nsettled 0\nslots 0:2 1:3\n")
		s.size = 2
		b := s.process("b", slotted)
		s.Session(b.client)
		host = b.host
		two := b.begin(1)
		await.Sleep(stageD / 4)
		first := s.process("a", slotted).begin(1)
		await.Sleep(stageD / 2)
		b.host.Heal()
		x, y := <-two, <-first // each is checked against all others
		s.release(x)
		s.release(y)
	})
}

// Somebody may have taken slots since the record was copied here.
func TestWhoHasWhichSlotIsNotGuessedFromARecordThatWasCopied(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		const copied = "zkrecipe semaphore 1\nsize 2\nlease 4s\npath 500000012-18b3d2a4c10\nsettled 1\nslots 0:2 1:3\n"
		s.copied(copied)
		if _, err := s.Admin().Set(t.Context(), stagePath+"/leases", []byte(copied), -1); err != nil {
			t.Fatal(err)
		}
		if _, err := s.process("a", slotted).Acquire(t.Context()); !isA[*semaphore.DataError](err) {
			t.Errorf("%v; want a DataError", err)
		}
	})
}

// A write at version -1 is not tied to what was read.
func TestTheVersionThatFitsAllIsSkipped(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		p := s.process("a", slotted)
		p.acquire()
		s.SetVersion(stagePath+"/leases", -3)
		for range 3 { // each time the record is written
			before := s.version()
			p := s.process("b", slotted).acquire()
			if after := s.version(); p == nil || after == -1 || after == before {
				t.Fatalf("version %d after %d", after, before)
			}
			s.release(p)
		}
		s.SetVersion(stagePath+"/leases", -1)
		if _, err := p.Acquire(t.Context()); !isA[*semaphore.DataError](err) {
			t.Errorf("at version -1: %v; want a DataError", err)
		}
	})
}

// copied makes the paths of the semaphore, with that record.
func (s *stage) copied(text string) {
	s.T.Helper()
	admin := s.Admin()
	if err := admin.EnsurePath(s.T.Context(), stagePath+"/locks", nil); err != nil {
		s.T.Fatal(err)
	}
	if err := admin.EnsureNode(s.T.Context(), stagePath+"/leases", []byte(text), nil); err != nil {
		s.T.Fatal(err)
	}
}

// version returns the version of the record.
func (s *stage) version() int32 {
	s.T.Helper()
	_, stat, err := s.Admin().Get(s.T.Context(), stagePath+"/leases")
	if err != nil {
		s.T.Fatal(err)
	}
	return stat.Version
}
