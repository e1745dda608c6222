package session

import (
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A read that was answered before the beat under way must not hide that beat: what is sent next
// comes after it.
func TestAReadBeforeABeatDoesNotHideTheBeat(t *testing.T) {
	for read, want := range map[int32]int32{3: 4, 5: 5} { // 5: somebody else has set it, and the beat will fail
		s := &Session{id: 7}
		s.heart = heartbeat{exists: true, czxid: 1, version: 3, next: 4, sent: true, unsure: true}
		if err := s.heartbeatRead(wire.Result{Stat: zk.Stat{EphemeralOwner: 7, Czxid: 1, Version: read}}, nil); err != nil {
			t.Fatal(err)
		}
		if s.heart.next != want || s.heart.unsure {
			t.Errorf("version %d was read: next %d, unsure %v; want %d", read, s.heart.next, s.heart.unsure, want)
		}
	}
}
