package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// Every code of KeeperException in ZooKeeper 3.4 to 3.9, and what it means as the answer to a
// request.
func TestEveryErrorCodeIsClassified(t *testing.T) {
	const done, unknown = session.OutcomeNotDone, session.OutcomeUnknown
	for _, c := range []struct {
		code      int32
		err       error // zk's; nil: a ServerError
		outcome   session.Outcome
		permanent bool
		says      string // the cure, or what it means
	}{
		{-1, nil, unknown, false, ""},                            // system error
		{-2, nil, unknown, false, ""},                            // runtime inconsistency
		{-3, nil, unknown, false, ""},                            // data inconsistency
		{-4, nil, unknown, false, "connection loss"},             // between the servers
		{-5, nil, unknown, false, "could not process"},           // marshalling error: anything unforeseen
		{-6, nil, done, true, "3.4 or newer"},                    // unimplemented
		{-7, nil, unknown, false, "timed out"},                   // operation timeout
		{-8, zk.ErrBadArguments, done, true, "use another path"}, // a special znode, or a path that we would not send
		{-12, nil, unknown, false, ""},                           // unknown session; among servers
		{-13, nil, unknown, false, ""},                           // reconfiguration: nothing that we ask for
		{-14, nil, unknown, false, ""},                           // the same
		{-100, zk.ErrAPIError, unknown, false, ""},               // begins a range; never sent
		{-101, zk.ErrNoNode, done, false, ""},
		{-102, zk.ErrNoAuth, done, true, "it takes CREATE on its parent"},
		{-103, zk.ErrBadVersion, done, false, ""},
		{-108, zk.ErrNoChildrenForEphemerals, done, true, "use a path that is not below an ephemeral znode"},
		{-110, zk.ErrNodeExists, done, false, ""},
		{-111, zk.ErrNotEmpty, done, false, ""},
		{-112, zk.ErrSessionExpired, done, false, ""},
		{-113, nil, unknown, false, ""}, // invalid callback; never sent
		{-114, zk.ErrInvalidACL, done, true, "use a scheme that the servers know"},
		{-115, zk.ErrAuthFailed, done, true, "check Config.Auth and Config.SASL"},
		{-118, zk.ErrSessionMoved, done, false, ""},
		{-119, nil, done, false, "read-only"}, // a server without a quorum
		{-120, nil, done, true, "localSessionsUpgradingEnabled"},
		{-121, nil, unknown, false, ""}, // no watcher: nothing that we ask for
		{-122, nil, unknown, false, "timed out"},
		{-123, zk.ErrReconfigDisabled, done, false, ""},
		{-124, nil, done, true, "enforce.auth.schemes"},
		{-125, nil, done, false, "quota"}, // there is room when others leave
		{-127, nil, done, false, "throttled"},
	} {
		want := c.err
		if want == nil {
			want = session.ServerError(c.code)
		}
		err := fmt.Errorf("wrapped: %w", session.CodeError(c.code))
		if !errors.Is(err, want) {
			t.Errorf("%d reads %v, want %v", c.code, err, want)
		}
		if got := session.OutcomeOf(err); got != c.outcome {
			t.Errorf("%d: %v, want %v", c.code, got, c.outcome)
		}
		if got := session.Permanent(err); got != c.permanent {
			t.Errorf("%d: permanent: %v, want %v", c.code, got, c.permanent)
		}
		said := &session.Error{Op: "create", Path: "/a", Err: err}
		if !strings.Contains(said.Error(), c.says) {
			t.Errorf("%d reads %q; want %q in it", c.code, said, c.says)
		}
	}
}
