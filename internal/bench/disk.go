package main

import (
	"fmt"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

// measureDisk measures hand-overs once more on servers that wait for the machine's disk with each
// transaction, as ZooKeeper does by default.
func measureDisk(l *lab) error {
	e, err := ensemble.Start(l.ctx, ensemble.Config{MaxSessionTimeout: crashTimeout, Sync: true})
	if err != nil {
		return err
	}
	defer e.Close()
	synced := *l
	synced.ensemble = e
	const how = "The servers wait for the disk. "
	elections := table{title: fmt.Sprintf(how+"Graceful failover, %d each, ms and times the floor:", l.failovers), head: handOverHead}
	for _, sc := range scales[:2] {
		if err := measureHandOver(&synced, sc, &elections); err != nil {
			return fmt.Errorf("%d candidates: %w", sc.candidates, err)
		}
	}
	elections.print(l.out)
	locks := table{title: fmt.Sprintf(how+"Hand-over of a lock, %d each, ms and times the floor:", l.failovers), head: lockHead}
	for _, n := range []int{2, 10} {
		if err := measureLockHandOver(&synced, n, &locks); err != nil {
			return fmt.Errorf("%d contenders: %w", n, err)
		}
	}
	locks.print(l.out)
	if err := measureAlone(&synced); err != nil {
		return fmt.Errorf("uncontended: %w", err)
	}
	return measureThroughput(&synced)
}
