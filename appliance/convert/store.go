package convert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"phonebox/services/phone"
)

// The phones are kept in a fixed number of values, so that all are found without a list of them, and a change writes a
// few kilobytes however many phones there are.
const (
	shards   = 64
	saveTime = 2 * time.Second
)

// shardOf spreads phones of one pallet, whose MACs follow each other.
func shardOf(mac phone.MAC) int { return int(mac[5]) % shards }

func shardKey(shard int) string { return fmt.Sprintf("convert/%02x", shard) }

// load reads all phones back. A phone that holds a turn keeps it, and may be writing its flash now.
func (d *Director) load(ctx context.Context) error {
	now := time.Now()
	var faults []error
	for shard := range shards {
		content, err := d.deps.Store.Value(ctx, shardKey(shard))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		records := map[phone.MAC]record{}
		if len(content) > 0 {
			if err := json.Unmarshal(content, &records); err != nil {
				faults = append(faults, fmt.Errorf("reading %s: %w", shardKey(shard), err))
			}
		}
		for mac, r := range records {
			w := d.way(mac)
			if begun := (&way{mac: mac, record: r}); w == nil && (r.Finish != "" || begun.halfway()) {
				d.ways[mac], w = begun, begun // the site does not list it any more
			}
			if w == nil || shardOf(mac) != shard {
				d.dropped[shard] = true
				continue
			}
			w.record = r
			if r.Turn {
				w.took, w.acted, w.moved = now, now, now
			}
			if r.Turn && r.Image != "" && !r.Booted {
				w.writing, w.sees, w.image = now.Add(phone.UpgradeGrace), true, r.Image
			}
		}
	}
	return errors.Join(faults...)
}

// save writes every shard that changed.
func (d *Director) save(ctx context.Context) error {
	d.mu.Lock()
	changed := d.dropped
	for mac, w := range d.ways {
		if w.dirty {
			changed[shardOf(mac)] = true
		}
	}
	d.mu.Unlock()
	var faults []error
	for shard, yes := range changed {
		if yes {
			faults = append(faults, d.saveShard(ctx, shard))
		}
	}
	return errors.Join(faults...)
}

// saveShard writes the phones of one shard and returns when they are on the card. What can't be written is logged once
// and tried again with the next look.
func (d *Director) saveShard(ctx context.Context, shard int) error {
	d.saving.Lock()
	defer d.saving.Unlock()

	d.mu.Lock()
	records := map[phone.MAC]record{}
	var saved []*way
	for mac, w := range d.ways {
		if shardOf(mac) != shard {
			continue
		}
		if w.dirty {
			saved = append(saved, w)
		}
		if !reflect.ValueOf(w.record).IsZero() {
			records[mac] = w.record
		}
		w.dirty = false
	}
	d.dropped[shard] = false
	d.mu.Unlock()

	content, err := json.Marshal(records)
	if err == nil {
		err = d.deps.Store.SetValue(ctx, shardKey(shard), content)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.failing = false
		return nil
	}
	for _, w := range saved {
		w.dirty = true
	}
	d.dropped[shard] = true
	if !d.failing {
		d.log.Warn("conversions cannot be written", "err", err)
	}
	d.failing = true
	return fmt.Errorf("writing the state of conversions: %w", err)
}
