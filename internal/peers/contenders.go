package peers

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// LockKind is an implementation of a lock or of a semaphore.
type LockKind string

// Those of Curator, then kazoo's, zk.Lock, and ours: contenders by recipe and style. The first two
// groups have newer releases as well, see [LockKind.Newest].
const (
	CuratorMutex     LockKind = "InterProcessMutex"
	CuratorRead      LockKind = "ReadWriteLock.read"
	CuratorWrite     LockKind = "ReadWriteLock.write"
	CuratorSemaphore LockKind = "SemaphoreV2"

	// CuratorMulti takes the locks of several paths one by one: a path with commas.
	CuratorMulti LockKind = "InterProcessMultiLock"

	// CuratorDowngrade gets the lock as a writer, and holds it as a reader.
	CuratorDowngrade LockKind = "ReadWriteLock.downgrade"

	// KazooLock has the extra_lock_patterns lock-, so that it waits behind zk.Lock.
	KazooLock  LockKind = "Lock"
	KazooRead  LockKind = "ReadLock"
	KazooWrite LockKind = "WriteLock"

	// KazooSemaphore is for [Hosts.Lock] alone.
	KazooSemaphore LockKind = "Semaphore"

	// GoLock is zk.Lock: the candidate of that kind. It holds the lock until it is told to resign.
	GoLock LockKind = "zk.Lock"
)

// OurLock is a contender of this library.
func OurLock(recipe, style string) LockKind { return LockKind("ours " + recipe + " " + style) }

// library is the kind of candidate that runs on the same library.
func (k LockKind) library() Kind {
	recipe, release, fetched := strings.Cut(string(k), "@")
	library := map[LockKind]Kind{
		CuratorMutex: LeaderLatch, CuratorRead: LeaderLatch, CuratorWrite: LeaderLatch,
		CuratorDowngrade: LeaderLatch, CuratorSemaphore: LeaderLatch, CuratorMulti: LeaderLatch,
		KazooLock: Kazoo, KazooRead: Kazoo, KazooWrite: Kazoo, KazooSemaphore: Kazoo, GoLock: ZkLock,
	}[LockKind(recipe)]
	if fetched {
		library += Kind("@" + release)
	}
	return library
}

// Newest returns the same kind of the newest release, if that is another.
func (k LockKind) Newest() LockKind {
	recipe, _, _ := strings.Cut(string(k), "@")
	k = LockKind(recipe)
	switch library := k.library(); {
	case library.java():
		return k + "@" + curatorRelease
	case library.python():
		return k + "@" + kazooRelease
	}
	return k
}

// LockAvailable is [Available] for locks.
func LockAvailable(ctx context.Context, k LockKind) error { return Available(ctx, k.library()) }

// Contention is how a contender uses the lock: how long it holds it, and how long it then waits.
type Contention struct {
	Hold, Rest time.Duration
	Size       int // of a semaphore
}

// Contend starts a contender. It takes the lock again and again, and tells waiting, acquired, beat,
// released and lost as examples/contender does; that of [GoLock] tells what a candidate tells.
func (h *Hosts) Contend(ctx context.Context, k LockKind, cfg Config, c Contention) (*Peer, error) {
	argv, err := h.ContendCommand(ctx, k, cfg, c)
	if err != nil {
		return nil, err
	}
	return start(Kind(k), cfg, argv)
}

// ContendCommand returns the command line of a contender, with a program that has been built.
func (h *Hosts) ContendCommand(ctx context.Context, k LockKind, cfg Config, c Contention) (argv []string, err error) {
	if recipe, ours := strings.CutPrefix(string(k), "ours "); ours {
		recipe, style, _ := strings.Cut(recipe, " ")
		exe := filepath.Join(h.dir, "contender")
		argv = []string{exe, "-zk", cfg.Connect, "-path", cfg.Path, "-id", cfg.ID, "-recipe", recipe, "-style", style,
			"-timeout", cfg.Timeout.String(), "-beat", cfg.Beat.String(), "-hold", c.Hold.String(), "-rest", c.Rest.String(),
			"-size", strconv.Itoa(c.Size)}
		return append(argv, cfg.Args...),
			h.build(ctx, "contender", "go", "build", "-o", exe, "github.com/zkrecipe/zkrecipe/examples/contender")
	}
	recipe, _, _ := strings.Cut(string(k), "@")
	switch library := k.library(); {
	case library == ZkLock:
		return h.Command(ctx, ZkLock, cfg)
	case library.java():
		argv, err = h.java(ctx, library, "Contender", 128)
	case library.python():
		argv, err = h.python(ctx, library, "contender.py")
	default:
		err = fmt.Errorf("peers: kind %q is unknown", k)
	}
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return append(argv, recipe, cfg.Connect, cfg.Path, cfg.ID, ms(cfg.Timeout), ms(cfg.Beat), ms(c.Hold), ms(c.Rest),
		strconv.Itoa(c.Size)), err
}
