package zktest

// watchTable holds the one-shot watches of one kind at one server: which
// connections want to hear about a path.
type watchTable map[string]map[*conn]bool

func (t watchTable) add(path string, c *conn) {
	if t[path] == nil {
		t[path] = map[*conn]bool{}
	}
	t[path][c] = true
}

// take removes and returns the connections watching path, oldest first.
func (t watchTable) take(path string) []*conn {
	set := t[path]
	delete(t, path)
	return sortConns(set)
}

// remove forgets one watch.
func (t watchTable) remove(path string, c *conn) {
	delete(t[path], c)
	if len(t[path]) == 0 {
		delete(t, path)
	}
}

// drop forgets a connection that is gone.
func (t watchTable) drop(c *conn) {
	for path := range t {
		t.remove(path, c)
	}
}

// watches are a server's two tables, as ZooKeeper has them: data watches
// (set by getData and exists) and child watches (set by getChildren).
type watches struct{ data, child watchTable }

func newWatches() watches { return watches{data: watchTable{}, child: watchTable{}} }

func (w watches) drop(c *conn) {
	w.data.drop(c)
	w.child.drop(c)
}

// Types of watches in checkWatches and removeWatches.
const (
	watchChildren = 1
	watchData     = 2
	watchAny      = 3
	// 4 and 5 are of watches that last, which are not imitated.
)

// of returns the tables of a type.
func (w watches) of(kind int32) []watchTable {
	switch kind {
	case watchChildren:
		return []watchTable{w.child}
	case watchData:
		return []watchTable{w.data}
	case watchAny:
		return []watchTable{w.child, w.data}
	}
	return nil
}

// ask answers checkWatches and removeWatches.
func (w watches) ask(a args, c *conn) Code {
	if a.flags < watchChildren || a.flags > c.srv.e.cfg.Release.lastWatchType() {
		return CodeMarshallingError
	}
	code := CodeNoWatcher
	for _, t := range w.of(a.flags) {
		if t[a.path][c] {
			code = CodeOK
		}
		if a.op == OpRemoveWatches {
			t.remove(a.path, c)
		}
	}
	return code
}

// notify sends the events of one change. Whoever hears of a deletion through
// a data watch does not hear of it again through a child watch on the same
// znode; the parent's child watches come last.
func (w watches) notify(ch change) {
	told := w.fire(w.data, ch, nil)
	if ch.event == nodeDeleted {
		w.fire(w.child, ch, told)
	}
	if ch.parent != "" {
		w.fire(w.child, change{event: nodeChildrenChanged, path: ch.parent, acl: ch.parentACL, zxid: ch.zxid}, nil)
	}
}

// fire notifies and forgets the watches on a change's path. A watcher that may not read
// the znode loses its watch without a word (CVE-2024-23944 closed that leak).
func (w watches) fire(t watchTable, ch change, except []*conn) []*conn {
	list := t.take(ch.path)
	for _, c := range list {
		if !contains(except, c) && allowed(ch.acl, permRead, c.ids) {
			c.sendEvent(ch.event, ch.path, ch.zxid)
		}
	}
	return list
}

func contains(list []*conn, c *conn) bool {
	for _, x := range list {
		if x == c {
			return true
		}
	}
	return false
}

// reset re-arms a reconnected client's watches. What it missed since zxid is
// reported at once instead, without the zxid of a change; ACLs are not asked
// then.
func (w watches) reset(t *tree, a args, c *conn) {
	for _, path := range a.dataPaths {
		switch n := t.get(path); {
		case n == nil:
			c.sendEvent(nodeDeleted, path, -1)
		case n.mzxid > a.relZxid:
			c.sendEvent(nodeDataChanged, path, -1)
		default:
			w.data.add(path, c)
		}
	}
	for _, path := range a.existPaths {
		if t.get(path) != nil {
			c.sendEvent(nodeCreated, path, -1)
		} else {
			w.data.add(path, c)
		}
	}
	for _, path := range a.chldPaths {
		switch n := t.get(path); {
		case n == nil:
			c.sendEvent(nodeDeleted, path, -1)
		case n.pzxid > a.relZxid:
			c.sendEvent(nodeChildrenChanged, path, -1)
		default:
			w.child.add(path, c)
		}
	}
}
