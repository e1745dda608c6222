package group

import (
	"context"
	"errors"
	"fmt"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

// Group is a handle of one group, to join it and to follow it. All methods may be called from any
// goroutine.
type Group struct {
	client *session.Client
	path   string
	cfg    Config
	clock  clock.Clock
}

// New returns a handle of the group at path, an absolute znode path other than "/", of at most 4096
// bytes. It checks its arguments and does no I/O. The path and its parents are created by the first
// member, and never deleted.
func New(client *session.Client, path string, cfg Config) (*Group, error) {
	if err := client.CheckPath(path); err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	cfg, err := cfg.withDefaults(client)
	if err != nil {
		return nil, err
	}
	return &Group{client: client, path: path, cfg: cfg, clock: clock.From(client.Context())}, nil
}

// Join makes a member. It returns when the member is listed and, unless [Config.NoLease] is set,
// when its lease runs. The membership lasts until [Member.Leave], until the client is closed, or
// until the member finds another's znode with the same ID; ctx bounds only the wait. If the session
// is lost, or somebody deletes the znode, the member lists itself again.
//
// If a znode of the same ID is there already, one transaction replaces it. So observers never see
// the ID missing. That znode is left over from a former process, or belongs to another member with
// that ID. That one gets [ErrReplaced], unless the new znode is gone before it finds out.
//
// Join tries until ctx ends, or until the client is closed. The error wraps the cause of ctx, or is
// session.ErrClosed. A [*recipe.PermanentError] says that trying again cannot help. Only Join ends
// with it: a member that has been listed goes on trying, whatever the error. A former znode that we
// have no permission to read is no reason for it, because it goes with its session, see the
// package's documentation. After an error nothing is left. Each call makes another member.
func (g *Group) Join(ctx context.Context) (*Member, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("group: %s: not listed: %w", g.path, context.Cause(ctx))
	}
	m := newMember(ctx, g)
	go m.run()
	_, err := m.Listing(ctx)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		m.quit(&recipe.EndedError{Reason: recipe.ReasonCancelled, Err: context.Cause(ctx)})
		return nil, m.whyNot(ctx, "not listed")
	}
	select {
	case <-m.done:
	case <-ctx.Done(): // the rest goes on in the background
	}
	var ended *recipe.EndedError
	if errors.As(err, &ended) && ended.Err != nil { // nothing was held
		err = fmt.Errorf("group: %s: not listed: %w", m.node, ended.Err)
	}
	return nil, err
}
