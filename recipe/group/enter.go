package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/session"
)

// The name of the member's znode may be used again, so the name does not tell whose znode it is. So
// there are three rules:
//
//   - The own znode is the one whose create was answered: the answer tells its czxid. After a lost
//     answer the member waits until that create cannot happen any more, see settle. Then it
//     replaces any znode that it finds of its own session.
//   - The new znode's data begin at a larger version than the one that was replaced had, see first.
//     So a late deletion, or late data, for any former znode fails, as long as each member finds
//     the znode of the one before it.
//   - A session's beat counts for the znode only while its watch stands, see session.HoldNamed.

// shortDelay is how long a member waits before it repeats a single request.
const shortDelay = 12500 * time.Microsecond

// enter makes the znode. If there is one already, it replaces that if it may.
func (st *stay) enter() error {
	m, s := st.m, st.s
	if err := s.EnsureHeartbeat(m.ctx); err != nil { // without a lease, too: the create checks it
		return err
	}
	if err := m.settle(m.ctx, s); err != nil { // the member may have tried in this session before
		return err
	}
	pause := retry.New(m.clock, shortDelay, 200*time.Millisecond)
	for there := (zk.Stat{}); m.ctx.Err() == nil; {
		stat, err := st.create(there)
		switch {
		case err == nil:
			st.token, st.version, st.lost = stat.Czxid, stat.Version, 0
			m.token = stat.Czxid
			delete(m.unresolved, s.ID()) // settled before this attempt began
			return nil
		case s.Err() != nil:
			return s.Err()
		case errors.Is(err, zk.ErrNoNode) && there.Czxid == 0:
			if err := s.EnsurePath(m.ctx, m.dir, m.cfg.ACL); err != nil {
				return err
			}
			continue
		case errors.Is(err, zk.ErrNodeExists), errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrBadVersion):
		case session.OutcomeOf(err) == session.OutcomeUnknown: // the answer to the next attempt tells it
			if len(st.data) >= largeData && errors.Is(err, zk.ErrConnectionClosed) {
				if st.lost++; st.lost >= maxLost {
					return &tooLarge{err}
				}
			}
		default:
			return err
		}
		if there.Czxid != 0 || session.OutcomeOf(err) == session.OutcomeUnknown {
			if err := pause.Wait(m.ctx); err != nil {
				return err
			}
		}
		if there, err = st.find(); err != nil {
			return err
		}
	}
	return context.Cause(m.ctx)
}

// tooLarge is the error of data that cost one connection after another.
type tooLarge struct{ err error }

func (e *tooLarge) Error() string   { return e.err.Error() }
func (e *tooLarge) Unwrap() []error { return []error{session.ErrTooLarge, e.err} }

const (
	// maxFirst bounds the version at which a znode begins, because it costs a set for each version.
	maxFirst = 100
	// perSet is what is reserved in a request for a set without data.
	perSet = 8 << 10
)

// first returns the version at which a znode with so much data begins, in place of the one that is
// there: one that no former znode had. If that costs too many sets, or none is there, it begins at
// 1. Then a late request for a former znode can change the new one, if both have the same version.
func first(there zk.Stat, data int) int {
	most := min(maxFirst, 2+(ident.MaxData-data)/perSet)
	if next := int(there.Version) + 1; next > 0 && next <= most {
		return next
	}
	return 1
}

// create creates the znode in one transaction, and deletes the one that is there if there is one.
// Setting the data as well makes the answer tell the znode's Stat.
func (st *stay) create(there zk.Stat) (zk.Stat, error) {
	m := st.m
	m.mu.Lock()
	st.data = m.data
	m.mu.Unlock()
	acl := m.cfg.ACL
	if acl == nil {
		acl = st.s.ACL()
	}
	var ops []any
	if there.Czxid != 0 {
		ops = append(ops, &zk.DeleteRequest{Path: m.node, Version: there.Version})
	}
	ops = append(ops, &zk.CreateRequest{Path: m.node, Acl: acl, Flags: zk.FlagEphemeral})
	for range first(there, len(st.data)) - 1 {
		ops = append(ops, &zk.SetDataRequest{Path: m.node, Version: -1})
	}
	ops = append(ops, &zk.SetDataRequest{Path: m.node, Data: st.data, Version: -1})
	// An attempt is followed to its end, so that the member knows what it leaves behind.
	results, err := st.s.FencedMulti(m.last, ops...)
	if err == nil && results[len(results)-1].Stat == nil {
		err = fmt.Errorf("group: the answer does not tell the Stat of %s", m.node)
	}
	if err != nil {
		if session.OutcomeOf(err) == session.OutcomeUnknown {
			m.unresolved[st.s.ID()] = true
		}
		return zk.Stat{}, err
	}
	return *results[len(results)-1].Stat, nil
}

// errHidden: we have no permission to read the znode that has the member's name. It was made with
// other credentials, and the servers demand READ for exists.
//
// The member waits until that znode is gone, which is at the end of its session at the latest if
// it is a former member's. DELETE on the group's path would let it delete the znode with version
// -1. But then it might delete a persistent znode, which somebody else needs: nothing but READ
// tells what kind of znode it is. And a request whose answer was lost might delete the znode of a
// later member, because no version would stop it.
var errHidden = errors.New("group: a znode of this ID is there that we have no permission to read, so it is not replaced before it is gone")

// find reads the Stat of the znode that exists at the member's path. It returns a zero Stat if
// there is none, and an error if the znode must not be replaced.
func (st *stay) find() (zk.Stat, error) {
	if err := st.m.settle(st.m.ctx, st.s); err != nil {
		return zk.Stat{}, err
	}
	stat, ok, err := st.s.Exists(st.m.ctx, st.m.node)
	switch {
	case errors.Is(err, zk.ErrNoAuth) && st.m.token != 0: // the own znodes can be read, see Config.ACL
		return zk.Stat{}, ErrReplaced
	case errors.Is(err, zk.ErrNoAuth):
		return zk.Stat{}, fmt.Errorf("%w: %w", errHidden, err)
	case err != nil || !ok:
		return zk.Stat{}, err
	case stat.EphemeralOwner == 0:
		return zk.Stat{}, fmt.Errorf("group: %s is a persistent znode: %w", st.m.node, zk.ErrBadArguments)
	case !st.m.mayReplace(stat):
		return zk.Stat{}, ErrReplaced
	}
	return stat, nil
}

// mayReplace reports whether the znode at the member's path is to be replaced. A member that joins
// replaces any znode. A member that has already joined replaces only its own former znodes, because
// any other belongs to a later member.
func (m *Member) mayReplace(stat zk.Stat) bool {
	return m.token == 0 || stat.Czxid == m.token || m.unresolved[stat.EphemeralOwner]
}

// settle waits until a create of the session whose answer was lost has happened or never will. The
// session's reads that follow show which it is.
func (m *Member) settle(ctx context.Context, s *session.Session) error {
	if !m.unresolved[s.ID()] {
		return nil
	}
	return s.Fence(ctx)
}

// clear deletes what the session may still have of the member. If it may not settle what became of
// a create, it deletes what is there.
func (m *Member) clear(s *session.Session) error {
	ctx := m.last
	unsettled := m.settle(ctx, s)
	if err := m.delete(ctx, s); err != nil {
		return err
	}
	if unsettled != nil {
		return gone(s, unsettled)
	}
	return nil
}

// delete deletes the znode, if it is the session's.
func (m *Member) delete(ctx context.Context, s *session.Session) error {
	pause := retry.New(m.clock, shortDelay, 10*time.Second)
	for {
		stat, ok, err := s.Exists(ctx, m.node)
		if m.joined && errors.Is(err, zk.ErrNoAuth) { // the own znode can be read: it is another's
			return nil
		}
		if err == nil {
			if !ok || stat.Czxid != m.token && !(m.unresolved[s.ID()] && stat.EphemeralOwner == s.ID()) {
				return nil
			}
			err = s.Delete(ctx, m.node, stat.Version)
		}
		switch {
		case err == nil || errors.Is(err, zk.ErrNoNode):
			return nil
		case s.Err() != nil || session.Permanent(err):
			return gone(s, err)
		}
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// gone returns why the znode stays until the session ends.
func gone(s *session.Session, err error) error {
	if s.Err() != nil {
		return s.Err()
	}
	return err
}
