//go:build linux

package campaign

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/history"
)

// longFault is how long a fault lasts under which somebody may well lead, in session timeouts.
const longFault = 4

// clientCut cuts the leader's link, in the directions that are its own.
func clientCut(dir Direction) func(context.Context, *Round) error {
	return func(ctx context.Context, r *Round) error {
		l, err := r.line(ctx)
		if err != nil {
			return err
		}
		since := r.fault("%s: %v traffic dropped", l.leader.id, dir)
		if err := l.leader.home.rule(ctx, dir, clientSide, "", "-j", "DROP"); err != nil {
			return err
		}
		return r.mustSucceed(ctx, l.term.token, since)
	}
}

// mustSucceed waits for the next leader while the old one is out of order, which is a question of
// liveness: all other parts are healthy. It notes how long that takes since the fault.
func (r *Round) mustSucceed(ctx context.Context, token, since int64) error {
	var elected int64
	ok, err := r.patiently(ctx, settleWithin*r.T, func(ctx context.Context) (err error) {
		elected, err = r.successor(ctx, token)
		return err
	})
	switch {
	case err != nil:
	case ok:
		r.after = append(r.after, time.Duration(elected-since))
	default:
		r.broken(history.Liveness, "nobody succeeded the leader with token %d within %v", token, settleWithin*r.T)
	}
	return err
}

// behindProxies lines up three candidates that reach the servers through proxies. They live where
// we do, because a proxy is reached by loopback alone.
func behindProxies(ctx context.Context, r *Round) error {
	var zk []string
	for _, s := range r.rig.Servers() {
		p, err := faultproxy.New(s.Addr())
		if err != nil {
			return err
		}
		r.proxies = append(r.proxies, p)
		zk = append(zk, p.Addr())
	}
	for _, id := range names[:3] {
		if _, err := r.startIn(nil, id, strings.Join(zk, ",")); err != nil {
			return err
		}
	}
	return r.settled(ctx)
}

// impair has the proxies do something for a while.
func (r *Round) impair(ctx context.Context, what string, on, off func(*faultproxy.Proxy)) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	return r.keepsLeading(l, func() error {
		r.fault("%s", what)
		for _, p := range r.proxies {
			on(p)
		}
		defer func() {
			for _, p := range r.proxies {
				off(p)
			}
		}()
		return r.last(ctx, longFault*r.T)
	})
}

func slowLink(ctx context.Context, r *Round) error {
	rate := func(n int) func(*faultproxy.Proxy) {
		return func(p *faultproxy.Proxy) { p.Rate(faultproxy.Both, n) }
	}
	return r.impair(ctx, "20 kB/s", rate(20_000), rate(0))
}

func delayedLink(ctx context.Context, r *Round) error {
	// Half of the rounds are below the delay that a beat allows (an answer within D/4), half are
	// above.
	d := r.leases(0.01, pick(r, []float64{1. / 16, 1. / 4}))
	delay := func(d time.Duration) func(*faultproxy.Proxy) {
		return func(p *faultproxy.Proxy) { p.Delay(faultproxy.Both, d) }
	}
	return r.impair(ctx, fmt.Sprintf("%v late each way", d), delay(d), delay(0))
}

func jitter(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	return r.keepsLeading(l, func() error {
		r.fault("0 to %v late each way", r.lease/8)
		for end := time.Now().Add(longFault * r.T); time.Now().Before(end); {
			for _, p := range r.proxies {
				p.Delay(faultproxy.ToServer, r.leases(0, 1./8))
				p.Delay(faultproxy.ToClient, r.leases(0, 1./8))
			}
			if err := r.last(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
		for _, p := range r.proxies {
			p.Delay(faultproxy.Both, 0)
		}
		return nil
	})
}

func loss(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	share := 0.1 + 0.3*r.rng.Float64()
	return r.keepsLeading(l, func() error {
		r.fault("%s: %.0f %% of packets lost", l.leader.id, share*100)
		err := l.leader.home.rule(ctx, Both, clientSide, "", "-m", "statistic", "--mode", "random",
			"--probability", fmt.Sprintf("%.3f", share), "-j", "DROP")
		if err != nil {
			return err
		}
		return r.last(ctx, longFault*r.T)
	})
}

func flapping(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	leader := l.leader
	return r.keepsLeading(l, func() error {
		const part = 0.3
		r.fault("%s: link cut and mended every %v", leader.id, r.leases(part, part))
		for end := time.Now().Add(longFault * r.T); time.Now().Before(end); {
			if err := leader.home.rule(ctx, Both, clientSide, "", "-j", "DROP"); err != nil {
				return err
			}
			if err := r.last(ctx, r.leases(part, part)); err != nil {
				return err
			}
			if err := leader.home.mend(ctx); err != nil {
				return err
			}
			if err := r.last(ctx, r.leases(part, part)); err != nil {
				return err
			}
		}
		return nil
	})
}
