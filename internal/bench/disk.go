package main

import "github.com/zkrecipe/zkrecipe/internal/ensemble"

// measureDisk measures on servers that wait for the machine's disk with each transaction, as
// ZooKeeper does by default.
func measureDisk(l *lab) error {
	e, err := ensemble.Start(l.ctx, ensemble.Config{MaxSessionTimeout: crashTimeout, Sync: true})
	if err != nil {
		return err
	}
	defer e.Close()
	synced := *l
	synced.ensemble, synced.addrs, synced.where = e, e.Addrs(), "The servers wait for the disk. "
	return measureAgain(&synced)
}

// measureAgain measures hand-overs and locks once more, where l says.
func measureAgain(l *lab) error {
	if err := handOvers(l, scales[:2]); err != nil {
		return err
	}
	return measureLocks(l)
}
