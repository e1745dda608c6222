package faultproxy

import (
	"context"
	"fmt"
	"sync"
)

// Fault is the handle of a fault that strikes once. Its methods may be called from any goroutine.
type Fault struct {
	proxy  *Proxy
	match  func(Frame) bool
	action Action
	code   int32 // of Fail

	left int // requests until it strikes, guarded by proxy.mu

	struck   sync.Once
	frame    Frame         // what it struck; readable once happened is closed
	happened chan struct{} // closed when it has struck
	once     sync.Once
	released chan struct{} // closed by Release
}

// Action is what a fault does to the request it strikes.
type Action int

// The actions. "Cut" means that both sides of the connection are closed, after what was sent
// before.
const (
	LoseRequest Action = iota + 1 // the request does not pass; cut
	HoldRequest                   // the request and all behind it wait for Release
	LoseReply                     // the request passes, its reply does not; cut
	HoldReply                     // the request passes, its reply and all behind it wait for Release
	Fail                          // the proxy answers the request itself, with an error
)

// On arms a fault for the n-th request (1 is the next) for which match holds: requests are counted
// as the proxy passes them on, over all connections. Watch events count as requests here: for one
// of them, LoseReply and HoldReply strike the event itself; the other actions do not strike events.
// match must be quick and must not call the proxy. Several faults may be armed; the oldest that
// matches strikes. A fault whose connection ends before the reply comes is spent and never reports.
func (p *Proxy) On(match func(Frame) bool, n int, action Action) *Fault {
	return p.arm(match, n, action, 0)
}

// LoseRequest arms a fault: the n-th request of op is not passed to the server and the connection
// is cut.
func (p *Proxy) LoseRequest(op Op, n int) *Fault { return p.On(is(op), n, LoseRequest) }

// HoldRequest arms a fault: the n-th request of op, and what comes behind it on its connection,
// waits for Release.
func (p *Proxy) HoldRequest(op Op, n int) *Fault { return p.On(is(op), n, HoldRequest) }

// LoseReply arms a fault: the server gets the n-th request of op, the client never gets the reply:
// the connection is cut instead.
func (p *Proxy) LoseReply(op Op, n int) *Fault { return p.On(is(op), n, LoseReply) }

// HoldReply arms a fault: the reply to the n-th request of op, and what comes behind it on its
// connection, waits for Release.
func (p *Proxy) HoldReply(op Op, n int) *Fault { return p.On(is(op), n, HoldReply) }

// FailReply arms a fault: the n-th request of op is not passed to the server; the client gets a
// reply with this error code (ZooKeeper's, negative) in its place among the others. For OpConnect
// the answer is the one for an expired session, whatever the code.
func (p *Proxy) FailReply(op Op, n int, code int32) *Fault { return p.arm(is(op), n, Fail, code) }

func is(op Op) func(Frame) bool { return func(f Frame) bool { return op.matches(f.Op) } }

func (p *Proxy) arm(match func(Frame) bool, n int, action Action, code int32) *Fault {
	if n < 1 || action < LoseRequest || action > Fail {
		panic(fmt.Sprintf("faultproxy: bug: fault number %d with action %d", n, action))
	}
	f := &Fault{
		proxy: p, match: match, action: action, code: code, left: n,
		happened: make(chan struct{}), released: make(chan struct{}),
	}
	defer p.noise()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	return f
}

// strike returns the fault that strikes this request or event, if any, and disarms it. All faults
// that match count the request; of two that are due the younger waits for the next one.
func (p *Proxy) strike(frame Frame) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	var hit *Fault
	keep := p.faults[:0]
	for _, f := range p.faults {
		if f.appliesTo(frame) && f.match(frame) {
			if f.left > 1 {
				f.left--
			} else if hit == nil {
				hit = f
				continue
			}
		}
		keep = append(keep, f)
	}
	clear(p.faults[len(keep):])
	p.faults = keep
	return hit
}

func (f *Fault) appliesTo(frame Frame) bool {
	return frame.Op != OpEvent || f.action == LoseReply || f.action == HoldReply
}

// Done is closed when the fault has happened: a frame is held, or was lost and the connection cut,
// or the made-up reply has been sent.
func (f *Fault) Done() <-chan struct{} { return f.happened }

// Wait waits for Done.
func (f *Fault) Wait(ctx context.Context) error {
	select {
	case <-f.happened:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("faultproxy: the fault has not happened: %w", context.Cause(ctx))
	}
}

// Frame returns what the fault struck: the reply for LoseReply, HoldReply and Fail, else the
// request. It is the zero Frame before Done.
func (f *Fault) Frame() Frame {
	select {
	case <-f.happened:
		return f.frame
	default:
		return Frame{}
	}
}

// Release lets go what a hold holds, or will hold. It does nothing to other faults.
func (f *Fault) Release() { f.once.Do(func() { close(f.released) }) }

// Cancel disarms a fault that has not struck yet, and releases it.
func (f *Fault) Cancel() {
	f.proxy.mu.Lock()
	for i, armed := range f.proxy.faults {
		if armed == f {
			f.proxy.faults = append(f.proxy.faults[:i:i], f.proxy.faults[i+1:]...)
			break
		}
	}
	f.proxy.mu.Unlock()
	f.Release()
}

// fire reports that the fault has happened.
func (f *Fault) fire(frame Frame) {
	f.struck.Do(func() {
		f.frame = frame
		close(f.happened)
	})
}
