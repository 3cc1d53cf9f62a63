/* map.c: what was noted under a text: a hash table that grows with what is in it. */
#include <string.h>

#include "base/base.h"

typedef struct Entry {
    const char *key;
    void *value;
    uint64_t hash;
} Entry;

struct Map {
    Entry *entry;        /* key NULL: free */
    size_t room, n;      /* room is a power of two, at least twice n */
};

static uint64_t hash_of(const char *key)
{
    uint64_t hash = 14695981039346656037u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    return hash;
}

Map *new_map(void)
{
    Map *map = NEW(Map);
    map->room = 64;
    map->entry = NEW_ARRAY(Entry, map->room);
    return map;
}

/* Where the key stands, or the free place where it would. */
static Entry *place_of(const Map *map, const char *key, uint64_t hash)
{
    size_t at = hash & (map->room - 1);
    while (map->entry[at].key && (map->entry[at].hash != hash || strcmp(map->entry[at].key, key) != 0))
        at = (at + 1) & (map->room - 1);
    return &map->entry[at];
}

void *map_find(const Map *map, const char *key)
{
    return place_of(map, key, hash_of(key))->value;
}

int map_count(const Map *map)
{
    return (int)map->n;
}

void map_each(const Map *map, void (*work)(void *value, void *with), void *with)
{
    for (size_t i = 0; i < map->room; i++)
        if (map->entry[i].key)
            work(map->entry[i].value, with);
}

void map_set(Map *map, const char *key, void *value)
{
    uint64_t hash = hash_of(key);
    Entry *entry = place_of(map, key, hash);
    if (entry->key)
        return;
    *entry = (Entry){key, value, hash};
    if (2 * ++map->n < map->room)
        return;
    Map larger = {NEW_ARRAY(Entry, 2 * map->room), 2 * map->room, map->n};
    for (size_t i = 0; i < map->room; i++)
        if (map->entry[i].key)
            *place_of(&larger, map->entry[i].key, map->entry[i].hash) = map->entry[i];
    *map = larger;
}
