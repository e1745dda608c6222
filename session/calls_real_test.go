package session_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestTwentyThousandChildrenWithLongNamesAreListed(t *testing.T) {
	c := proxied(t, three(t))
	s := established(t, c.open(session.Config{Timeout: steady}))
	ctx := within(t, hang)
	must(t, s.EnsurePath(ctx, "/many", nil))
	const number, batch = 20_000, 1000
	name := func(i int) string { return fmt.Sprintf("%05d-%s", i, strings.Repeat("x", 240)) }
	for i := 0; i < number; i += batch {
		var ops []any
		for j := range batch {
			ops = append(ops, &zk.CreateRequest{Path: "/many/" + name(i+j)})
		}
		_, err := s.Multi(ctx, ops...)
		must(t, err)
	}
	names, stat, err := s.Children(ctx, "/many")
	if err != nil || len(names) != number || stat.NumChildren != number {
		t.Fatalf("%d names, %v", len(names), err)
	}
	slices.Sort(names)
	if names[0] != name(0) || names[number-1] != name(number-1) {
		t.Errorf("from %q to %q", names[0], names[number-1])
	}
	// The same on a link on which the answer takes longer than the silence that zk allows.
	slow := established(t, c.open(session.Config{Timeout: 4 * time.Second, Dial: throttled}))
	if names, _, err := slow.Children(ctx, "/many"); err != nil || len(names) != number {
		t.Errorf("on a slow link: %d names, %v\n%s", len(names), err, c.log)
	}
	c.all(func(p *faultproxy.Proxy) {
		if n := p.Counts().Requests[faultproxy.OpConnect].Frames; n > 2 {
			t.Errorf("a long answer cost %d connections", n)
		}
	})
}

// throttled dials a link that carries 1 MiB/s.
func throttled(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return slowLink{conn}, err
}

type slowLink struct{ net.Conn }

func (l slowLink) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p[:min(len(p), 32<<10)])
	if n > 1<<10 {
		time.Sleep(time.Duration(n) * time.Second / (1 << 20)) // what a slow link is
	}
	return n, err
}
