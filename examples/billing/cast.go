package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
)

// start starts a biller and watches over it: it must not end by itself.
func (d *director) start(id string) {
	flags := append(slices.Clone(d.flags), "-id", id)
	c, err := child.Start(asBiller, flags, func(text []byte) error { return d.tell(id, text) })
	if err != nil {
		d.fail(err)
		return
	}
	d.change(func() { d.billers[id] = c })
	go func() { // ends with the child
		err := c.Err()
		d.mu.Lock()
		wanted := d.billers[id] != c
		d.mu.Unlock()
		if !wanted {
			d.fail(fmt.Errorf("%s has ended by itself: %w", id, err))
		}
	}()
}

// stop ends the billers, the leader last: nobody else is elected for a moment.
func (d *director) stop() (err error) {
	d.mu.Lock()
	order := slices.Sorted(maps.Keys(d.billers))
	if n := len(d.terms); n > 0 {
		if i := slices.Index(order, d.terms[n-1].by); i >= 0 {
			order = append(slices.Delete(order, i, i+1), d.terms[n-1].by)
		}
	}
	billers := maps.Clone(d.billers)
	clear(d.billers) // from now on they may end
	d.mu.Unlock()
	for _, id := range order {
		if failure := billers[id].Stop(""); failure != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", id, failure))
		}
	}
	return err
}
