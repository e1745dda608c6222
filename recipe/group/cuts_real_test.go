package group_test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

var fullSize = flag.Bool("full", false, "fifty cuts in place of ten")

// Five members are cut off for 3/10 of the session timeout again and again, and every third time
// the connections break. Nobody ever sees one of them missing, and no znode is made anew.
func TestOnServersNoMemberFlapsWhenItIsCutOff(t *testing.T) {
	e, ctx := onServers(t)
	const (
		path    = "/group-cuts"
		timeout = 10 * time.Second
		members = 5
	)
	var addrs []string
	for _, s := range e.Servers() {
		addrs = append(addrs, s.Addr())
	}
	var proxies []faultproxy.Proxies
	for i := range members {
		p := faultproxy.AllForTest(t, addrs)
		proxies = append(proxies, p)
		_, err := join(ctx, openReal(t, p.ConnectString(), session.Config{Timeout: timeout}), path, group.Config{ID: fmt.Sprint("m", i)})
		must(t, err)
	}
	list, err := watch(openReal(t, e.ConnectString(), session.Config{}), path, group.Config{})
	must(t, err)
	defer list.Close()
	before := awaitReal(t, ctx, list, "five members", func(s group.Snapshot) bool { return len(s.Members) == members })

	watching, stop := context.WithCancel(ctx)
	var watcher, cutting sync.WaitGroup
	watcher.Go(func() {
		for {
			now, err := list.Next(watching)
			if err != nil {
				return
			}
			if len(now.Members) != members {
				t.Errorf("for a moment: %q", ids(now))
			}
		}
	})
	cuts := 2
	if *fullSize {
		cuts = 10
	}
	for i, all := range proxies {
		cutting.Go(func() {
			for n := range cuts {
				time.Sleep(timeout / 4 * time.Duration(i+1) / members) // not all at one time
				all.Each(func(p *faultproxy.Proxy) { p.Hold(faultproxy.Both) })
				time.Sleep(timeout * 3 / 10)
				all.Each(func(p *faultproxy.Proxy) {
					p.Release(faultproxy.Both)
					if n%3 == 0 {
						p.Cut(true)
					}
				})
			}
		})
	}
	cutting.Wait()
	after, err := list.Fresh(ctx)
	must(t, err)
	stop()
	watcher.Wait()
	for i, m := range before.Members {
		if len(after.Members) != members || after.Members[i].Token != m.Token {
			t.Errorf("at last %+v; before %+v", after.Members, before.Members)
			break
		}
	}
}
