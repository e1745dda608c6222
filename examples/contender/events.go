package main

import (
	"fmt"
	"path"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// The library's events come from a goroutine that nobody waits for. So a line of one may come
// shortly after "acquired". None comes after "left".

// lockEvent tells what a lock meets on the way. The other events have lines without it.
func (p *program) lockEvent(ev lock.Event) {
	switch ev.Kind {
	case lock.EventFailed, lock.EventImpaired:
		p.out.Fail(ev.Err)
	case lock.EventBlocked:
		p.out.Fail(fmt.Errorf("%s is a persistent znode: nobody behind it gets the lock until it is deleted",
			ev.Node))
	case lock.EventTookOver:
		p.out.Write("takeover", "node", ev.Node)
	case lock.EventWithheld:
		p.out.Write("withheld", "node", ev.Node)
	}
}

// permitEvent tells the same of a semaphore.
func (p *program) permitEvent(ev semaphore.Event) {
	switch ev.Kind {
	case semaphore.EventJoined:
		p.out.Write("entered", "node", ev.Node)
	case semaphore.EventLeft:
		if path.Base(path.Dir(ev.Node)) == "locks" {
			p.out.Write("abandoned", "node", ev.Node)
		}
	case semaphore.EventFailed, semaphore.EventImpaired:
		p.out.Fail(ev.Err)
	case semaphore.EventBlocked:
		p.out.Fail(fmt.Errorf("%s is a persistent znode: it counts as a permit until it is deleted",
			ev.Node))
	case semaphore.EventTookOver:
		p.out.Write("takeover", "node", ev.Node)
	case semaphore.EventWithheld:
		p.out.Write("withheld") // the event names no znode
	}
}
