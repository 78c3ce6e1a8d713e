// The works on Go: scheduling works by name, `echo` and `http` as servers. Started with GOMAXPROCS=1.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func memory(field string) float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == field+":" {
			kilobytes, _ := strconv.ParseFloat(words[1], 64)
			return kilobytes * 1024
		}
	}
	return 0
}

func report(name string, value float64, unit string) {
	fmt.Printf("%s %.3f %s\n", name, value, unit)
}

func perCount(name string, start float64, count int) {
	report(name, (cpu()-start)/float64(count), "ns")
}

func robin(name string, n int, switches int) {
	var all sync.WaitGroup
	left := switches + n
	var start, stopped float64
	for i := 0; i < n; i++ {
		all.Add(1)
		go func() {
			runtime.Gosched()
			for {
				left--
				if left <= 0 {
					break
				}
				runtime.Gosched()
			}
			if left == 0 {
				stopped = cpu()
			}
			all.Done()
		}()
	}
	runtime.Gosched()
	left = switches
	start = cpu()
	all.Wait()
	report(name, (stopped-start)/float64(switches), "ns")
}

func spawn(name string, batch int, count int) {
	var all sync.WaitGroup
	start := cpu()
	for done := 0; done < count; done += batch {
		for i := 0; i < batch; i++ {
			all.Add(1)
			go all.Done()
		}
		all.Wait()
	}
	perCount(name, start, count)
}

func channel(count int) {
	items := make(chan int)
	go func() {
		for i := 0; i < count; i++ {
			items <- i
		}
		close(items)
	}()
	start := cpu()
	sum := 0
	for i := range items {
		sum += i
	}
	perCount("channel", start, count)
}

func queue(name string, count int) {
	items := make(chan int, 1000)
	go func() {
		for i := 0; i < count; i++ {
			items <- i
		}
	}()
	start, before := time.Now(), cpu()
	for i := 0; i < count; i++ {
		if <-items != i {
			panic("order")
		}
	}
	if name == "cross_hub" { // two threads: the time that passes is what counts
		report(name, float64(time.Since(start).Nanoseconds())/float64(count), "ns")
		return
	}
	perCount(name, before, count)
}

func lockHandoff(count int) {
	var lock sync.Mutex
	var all sync.WaitGroup
	start := cpu()
	for i := 0; i < 2; i++ {
		all.Add(1)
		go func() {
			for j := 0; j < count/2; j++ {
				lock.Lock()
				runtime.Gosched()
				lock.Unlock()
			}
			all.Done()
		}()
	}
	all.Wait()
	perCount("lock_handoff", start, count)
}

func timers(count int) {
	var all sync.WaitGroup
	start, before := time.Now(), cpu()
	for i := 0; i < count/10; i++ {
		all.Add(1)
		seed := uint32(i + 1)
		go func() {
			for j := 0; j < 10; j++ {
				seed ^= seed << 13
				seed ^= seed >> 17
				seed ^= seed << 5
				time.Sleep(time.Duration(1000000 + int64(seed%49000)*1000))
			}
			all.Done()
		}()
	}
	all.Wait()
	report("timers", (cpu()-before)/1e9, "s")
	report("timers_wall", time.Since(start).Seconds(), "s")
}

func parked(count int) {
	never := make(chan int)
	rss, tables := memory("VmRSS"), memory("VmPTE")
	for i := 0; i < count; i++ {
		go func() { <-never }()
	}
	runtime.Gosched()
	report("parked", (memory("VmRSS")-rss)/float64(count), "B")
	report("parked_tables", (memory("VmPTE")-tables)/float64(count), "B")
	os.Exit(0)
}

func listen() net.Listener {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() { // the end of the standard input is the end of the one who started this
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return listener
}

func echo() {
	listener := listen()
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			var buffer [1024]byte
			defer connection.Close()
			for {
				n, err := connection.Read(buffer[:])
				if err != nil {
					return
				}
				if _, err = connection.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func hello() {
	body := []byte("Hello, world!")
	http.Serve(listen(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "13")
		io.Copy(w, bytes.NewReader(body))
	}))
}

func main() {
	if len(os.Args) < 2 {
		os.Exit(77)
	}
	count := 0
	if len(os.Args) > 2 {
		count, _ = strconv.Atoi(os.Args[2])
	}
	or := func(n int) int {
		if count > 0 {
			return count
		}
		if divide, _ := strconv.Atoi(os.Getenv("BENCH_DIVIDE")); divide > 1 {
			return n / divide
		}
		return n
	}
	switch os.Args[1] {
	case "yield_2":
		robin("yield_2", 2, or(5000000))
	case "robin_1000":
		robin("robin_1000", 1000, or(5000000))
	case "robin_100000":
		robin("robin_100000", 100000, or(2000000))
	case "spawn_join":
		spawn("spawn_join", 1, or(1000000))
	case "spawn_10000":
		spawn("spawn_10000", 10000, or(1000000))
	case "channel":
		channel(or(5000000))
	case "queue":
		queue("queue", or(5000000))
	case "cross_hub":
		runtime.GOMAXPROCS(2)
		queue("cross_hub", or(1000000))
	case "lock_handoff":
		lockHandoff(or(1000000))
	case "timers":
		timers(or(1000000))
	case "parked":
		parked(or(100000))
	case "echo":
		echo()
	case "http":
		hello()
	default:
		os.Exit(77)
	}
}
