// The load of bench/store.ts on any server of etcd's API, with etcd's own client, as a Kubernetes API server uses it: one connection.
// usage: storeload -endpoint 127.0.0.1:2379 [-pid SERVER] [-objects 10000]
// Prints one JSON object: the figures of bench/store.ts by their keys, and what the server's process used of the processor.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

var (
	endpoint = flag.String("endpoint", "127.0.0.1:2379", "")
	pid      = flag.Int("pid", 0, "the server's process, for its processor time")
	objects  = flag.Int("objects", 10_000, "puts and gets of a part, and objects of a list")
	only     = flag.String("only", "", "parts, of put1, put32, put1000, get, list, watch; default all")
	own      = flag.Bool("own", false, "each part's processor time of this process as well")
)

var (
	ctx     = context.Background()
	value   = `{"kind":"ConfigMap","data":{"text":"` + strings.Repeat("x", 1000) + `"}}`
	figures = map[string]float64{}
)

func keyOf(i int) string { return fmt.Sprintf("/registry/configmaps/ns-%d/name-%d", i%50, i) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// timed answers how long total runs by so many clients at once take.
func timed(total, clients int, run func(i int) error) time.Duration {
	next := int64(-1)
	begin := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := int(atomic.AddInt64(&next, 1)); i < total; i = int(atomic.AddInt64(&next, 1)) {
				check(run(i))
			}
		}()
	}
	all.Wait()
	return time.Since(begin)
}

// processorSeconds is what a process has used so far. It counts in hundredths of a second.
func processorSeconds(pid int) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// part takes one figure, with what it took of the processor: a rate and microseconds, or with each milliseconds for one.
func part(name string, count int, each bool, run func() time.Duration) {
	if *only != "" && !strings.Contains(","+*only+",", ","+name+",") {
		return
	}
	server, client := processorSeconds(*pid), processorSeconds(os.Getpid())
	took := run()
	figures[name] = float64(count) / took.Seconds()
	unit := 1e6
	if each {
		figures[name] = took.Seconds() * 1e3 / float64(count)
		unit = 1e3
	}
	if *pid != 0 {
		figures[name+" CPU"] = (processorSeconds(*pid) - server) * unit / float64(count)
	}
	if *own {
		figures[name+" client CPU"] = (processorSeconds(os.Getpid()) - client) * unit / float64(count)
	}
}

func main() {
	flag.Parse()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	check(err)
	put := func(key string) error { _, err := client.Put(ctx, key, value); return err }
	get := func(key string) error { _, err := client.Get(ctx, key); return err }
	check(get("/ready"))

	part("put1", *objects/20, true, func() time.Duration {
		return timed(*objects/20, 1, func(i int) error { return put(fmt.Sprintf("/one/%d", i)) })
	})
	for _, clients := range []int{32, 1000} {
		part(fmt.Sprintf("put%d", clients), *objects, false, func() time.Duration {
			return timed(*objects, clients, func(i int) error { return put(keyOf(i)) })
		})
	}
	part("get", *objects*2, false, func() time.Duration {
		return timed(*objects*2, 32, func(i int) error { return get(keyOf(i % *objects)) })
	})
	part("list", 10, true, func() time.Duration {
		return timed(10, 1, func(int) error {
			answer, err := client.Get(ctx, "/registry/configmaps/", clientv3.WithPrefix())
			if err == nil && len(answer.Kvs) != *objects {
				err = fmt.Errorf("a list of %d, not of %d", len(answer.Kvs), *objects)
			}
			return err
		})
	})
	watched(client, put)
	check(json.NewEncoder(os.Stdout).Encode(figures))
	check(client.Close())
}

// watched has 1,000 watches of 100 prefixes see objects/10 changes by 32 clients.
func watched(client *clientv3.Client, put func(key string) error) {
	const watches, prefixes = 1000, 100
	changes := max(100, *objects/10)
	wanted := int64(watches / prefixes * changes)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var delivered int64
	done := make(chan struct{})
	var created sync.WaitGroup
	for i := range watches {
		created.Add(1)
		answers := client.Watch(watching, fmt.Sprintf("/watched/%d/", i%prefixes), clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		go func() {
			for answer := range answers {
				if answer.Created {
					created.Done()
				}
				if n := int64(len(answer.Events)); n > 0 && atomic.AddInt64(&delivered, n) == wanted {
					close(done)
				}
			}
		}()
	}
	created.Wait()
	part("watch", int(wanted), false, func() time.Duration {
		begin := time.Now()
		timed(changes, 32, func(i int) error { return put(fmt.Sprintf("/watched/%d/%d", i%prefixes, i)) })
		<-done
		return time.Since(begin)
	})
}
