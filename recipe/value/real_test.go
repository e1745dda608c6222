package value_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

// realT is long enough for a busy machine.
const realT = 10 * time.Second

func three(t *testing.T) *ensemble.Ensemble {
	t.Helper()
	return ensemble.Common(t)
}

// proxied returns a client that reaches a server through a proxy.
func proxied(t *testing.T, server string) (*session.Client, *faultproxy.Proxy) {
	t.Helper()
	p := faultproxy.ForTest(t, server)
	return open(t, p.Addr()), p
}

func open(t *testing.T, connect string) *session.Client {
	t.Helper()
	return shared.Open(t, connect, session.Config{Timeout: realT})
}

func atReal(t *testing.T, client *session.Client, encoding value.Encoding) *value.Counter {
	t.Helper()
	n, err := value.NewCounter(client, shared.Path(t), value.CounterConfig{Encoding: encoding})
	must(t, err)
	return n
}

// Each request is lost in turn, on its way there or back, until a life passes without a loss.
func TestOnRealServersAnAdditionCountsOnceWhicheverRequestIsLost(t *testing.T) {
	e := three(t)
	for _, action := range []faultproxy.Action{faultproxy.LoseRequest, faultproxy.LoseReply} {
		for lost := 1; ; lost++ {
			client, proxy := proxied(t, e.Addrs()[0])
			_, err := client.Session(within(t))
			must(t, err)
			fault := proxy.On(func(f faultproxy.Frame) bool {
				return f.Op != faultproxy.OpPing && f.Op != faultproxy.OpConnect && f.Op != faultproxy.OpEvent
			}, lost, action)
			n, err := value.NewCounter(client, fmt.Sprintf("%s-%d-%d", shared.Path(t), action, lost), value.CounterConfig{})
			must(t, err)
			for want := int64(1); want <= 3; want++ {
				if got, err := n.Add(within(t), 1); got != want || err != nil {
					t.Errorf("request %d, action %d: Add = %d, %v; want %d", lost, action, got, err, want)
				}
			}
			must(t, client.Close())
			select {
			case <-fault.Done():
				continue
			default:
			}
			if lost < 5 {
				t.Errorf("only %d requests were lost", lost-1)
			}
			break
		}
	}
}

// Clients on all servers add while answers are lost and one session after the other ends. The sum
// is exact, except for additions whose outcome is unknown.
func TestOnRealServersSumsAreExactButForTheUnknown(t *testing.T) {
	e := three(t)
	h := &history{}
	var group sync.WaitGroup
	for i, server := range e.Addrs() {
		client, proxy := proxied(t, server)
		n := atReal(t, client, value.EncodingInt64)
		group.Go(func() {
			for j := range 60 {
				switch {
				case j%6 == i:
					proxy.LoseReply(faultproxy.OpMulti, 1)
				case j%20 == 10+i: // with the answer goes the session, as the client hears
					proxy.LoseReply(faultproxy.OpMulti, 1)
					proxy.FailReply(faultproxy.OpConnect, 1, 0)
				}
				err := h.record(i, call{"add", 0, 1}, func() (int64, error) { return n.Add(within(t), 1) })
				if err != nil && !isUnknown(err) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	end, err := atReal(t, open(t, e.ConnectString()), value.EncodingInt64).Get(within(t))
	must(t, err)
	h.sum(t, end)
	if !h.linearizable() {
		t.Error("not linearizable")
	}
	t.Logf("%d at the end, %d outcomes unknown", end, h.unknown())
}
