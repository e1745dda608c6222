package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"strings"

	"go.etcd.io/etcd/server/v3/embed"
)

// serve runs a member of a cluster, with etcd's own times, until stdin ends. The cluster is
// "name=http://host:port,...".
func serve(name, client, cluster, dir string) error {
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.LogLevel = name, dir, "error"
	cfg.InitialCluster = cluster
	cfg.UnsafeNoFsync = true // as our ZooKeeper servers, whose disks are not measured either
	here, err := url.Parse(client)
	if err != nil {
		return err
	}
	for member := range strings.SplitSeq(cluster, ",") {
		if peer, ok := strings.CutPrefix(member, name+"="); ok {
			there, err := url.Parse(peer)
			if err != nil {
				return err
			}
			cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*there}, []url.URL{*there}
		}
	}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*here}, []url.URL{*here}
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		}
		os.Exit(0) // the process that started us is gone
	}()
	<-e.Server.ReadyNotify()
	fmt.Println("ready")
	return <-e.Err()
}
