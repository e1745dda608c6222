package recipehttp

import (
	"strconv"

	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/group"
)

func memberOf(st group.MemberStatus) memberJSON {
	j := memberJSON{
		Path: clean(st.Path, maxError), ID: clean(st.ID, maxText), Listed: st.Listed, Since: st.Since.UTC(),
		LeaseMS: st.LeaseRemaining.Milliseconds(), Listings: st.Listings,
	}
	if st.Token != 0 {
		j.Token = strconv.FormatInt(st.Token, 10)
	}
	if st.LastReason != 0 {
		j.LastReason = st.LastReason.String()
	}
	if st.Over != nil {
		j.Over = clean(st.Over.Error(), maxError)
	}
	return j
}

func groupOf(m *group.Members, data bool) groupJSON {
	st := m.Status()
	j := groupJSON{Path: clean(st.Path, maxError), Known: st.Known, Members: []placeJSON{}, Total: st.Members, AgeMS: st.Age.Milliseconds()}
	if st.Over != nil {
		j.Ended = clean(st.Over.Error(), maxError)
	}
	now, _ := m.Current()
	for _, e := range now.Members[:min(len(now.Members), maxLine)] {
		one := placeJSON{ID: clean(e.ID, maxText), Node: clean(e.Node, maxError), Hidden: e.Err != nil}
		if !one.Hidden {
			one.Token, one.Session = strconv.FormatInt(e.Token, 10), feed.Hex(e.Session)
		}
		if data {
			one.Data = clean(string(e.Data[:min(len(e.Data), 4*maxText)]), maxText)
		}
		j.Members = append(j.Members, one)
	}
	return j
}

func cacheOf(st cache.Status) cacheJSON {
	j := cacheJSON{
		Path: clean(st.Path, maxError), Loaded: st.Loaded, Following: st.Following, Nodes: st.Nodes, Bytes: st.Bytes,
		Unread: st.Unread, AgeMS: st.Age.Milliseconds(), Reads: st.Counts.Reads,
	}
	if st.Over != nil {
		j.Ended = clean(st.Over.Error(), maxError)
	}
	return j
}
