package peers

import (
	"context"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// Candidates on etcd do what the others do: one leads, and the next one when it has resigned or was
// killed. So do clients of its Mutex, which take it in turn.
func TestCandidatesOnEtcdChangePlaces(t *testing.T) {
	need.That(t, func() error { return nil }) // not with -short: it compiles for minutes
	// Only the time limit of all tests bounds it: on a busy machine it takes many minutes.
	if _, err := hosts.etcd(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cluster, err := hosts.StartEtcd(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	t.Run(string(EtcdMutex), func(t *testing.T) { rests(ctx, t, EtcdMutex, cluster.Endpoints, 1) })
	for _, k := range []Kind{Etcd, ClientGo} {
		t.Run(string(k), func(t *testing.T) {
			join := func(id string) *Peer {
				p, err := hosts.Start(ctx, k, Config{Connect: cluster.Endpoints, Path: "/" + string(k), ID: id, Timeout: usual})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(p.Kill)
				return p
			}
			wait := func(p *Peer, event string) Line {
				t.Helper()
				l, err := p.Wait(ctx, event)
				if err != nil {
					t.Fatal(err)
				}
				return l
			}
			a := join("a")
			first := wait(a, "elected")
			wait(a, "beat")
			b := join("b")
			wait(b, "joined")
			a.Send("resign")
			if l := wait(a, "deposed"); l.Reason != "resigned" {
				t.Errorf("deposed: %+v", l)
			}
			second := wait(b, "elected")
			wait(b, "beat")
			b.Kill()
			third := wait(a, "elected")
			if !(first.Token < second.Token && second.Token < third.Token) {
				t.Errorf("tokens %d, %d, %d; want them in this order", first.Token, second.Token, third.Token)
			}
			a.Send("quit")
			wait(a, "left")
			<-a.Done()
		})
	}
}
