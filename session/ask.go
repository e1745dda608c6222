package session

import (
	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// AskChildren sends the request of [Session.Children] and does not wait for the answer. It sends
// the request once, on the present connection, and calls then once: with the answer, or with an
// error if there is no connection or it is lost. then may be called before AskChildren returns. It
// must not block, because it may run in the goroutine that reads all answers of the session.
func (s *Session) AskChildren(path string, then func(names []string, stat zk.Stat, err error)) {
	s.askOne("getChildren", path, wire.OpGetChildren2, func(r wire.Result, err error) { then(r.Children, r.Stat, err) })
}

// AskData is [Session.AskChildren] for the request of [Session.Get].
func (s *Session) AskData(path string, then func(data []byte, stat zk.Stat, err error)) {
	s.askOne("getData", path, wire.OpGetData, func(r wire.Result, err error) { then(r.Data, r.Stat, err) })
}

func (s *Session) askOne(name, path string, kind int32, then func(wire.Result, error)) {
	fail := func(err error) {
		then(wire.Result{}, &Error{Op: name, Path: path, Outcome: OutcomeOf(err), Err: err})
	}
	full, err := s.full(path)
	if err != nil {
		fail(err)
		return
	}
	s.mu.Lock()
	conn, connected := s.conn, s.state == StateConnected
	s.mu.Unlock()
	if !connected {
		fail(zk.ErrNoServer)
		return
	}
	s.ask(conn, &wire.Request{Ops: []wire.Op{{Kind: kind, Path: full}}}, func(results []wire.Result, err error) {
		if err != nil {
			fail(err)
			return
		}
		then(results[0], nil)
	})
}
