package zktest_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestKeeperKnowsNoSessionAgain(t *testing.T) {
	inBubble(t, zktest.Config{Servers: 3, Keeper: true}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		id := a.session
		a.create("/e", nil, 1)
		a2 := a.again("a2", 1)
		b.want("password=16 bytes, zeros=true, rest=")
		if a2.session == id || a2.session == 0 {
			t.Errorf("session 0x%x came back as 0x%x", id, a2.session)
		}
		a2.exists("/e", false)
		b.want("err=0")
		await.Sleep(10 * time.Second)
		for _, n := range b.e.Nodes() {
			if n.Path == "/e" {
				t.Error("the ephemeral outlives its session")
			}
		}
	})
}

func TestKeeperSaysThatThereIsNoLeader(t *testing.T) {
	inBubble(t, zktest.Config{Servers: 3, Keeper: true}, func(t *testing.T, b *bench) {
		for i := range 3 {
			b.e.Server(i + 1).Isolate()
		}
		await.Sleep(10 * time.Second)
		c := b.client("c", 1)
		c.hello("without a leader", 0, 4000, 0, make([]byte, 16), false)
		b.want("version=42")
		if c.session != -1 {
			t.Errorf("session %d, want -1", c.session)
		}
		c.expectClosed("then")
		b.want("connection closed")
	})
}
