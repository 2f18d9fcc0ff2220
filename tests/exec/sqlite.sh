# A database in WAL mode, used by two processes at once, and one in memory.
set -e
sqlite3 a.db "pragma journal_mode=wal; create table t(i integer primary key, s text); create index x on t(s);"
sqlite3 a.db "with recursive n(i) as (select 1 union all select i+1 from n where i<2000) insert into t select i, hex(i*i) from n;"
for writer in 1 2; do
    i=0
    while [ $i -lt 10 ]; do
        echo ".timeout 60000"
        echo "insert into t(s) values('writer $writer');"
        i=$((i + 1))
    done | sqlite3 a.db > /dev/null &
done
wait
sqlite3 a.db "select count(*), sum(i), min(s), max(s) from t; pragma integrity_check; delete from t where i % 2; vacuum; select count(*) from t;"
sqlite3 :memory: "select sqlite_version(); select printf('%.6f', exp(1)), upper('skep'), strftime('%Y', 0, 'unixepoch');"
sqlite3 a.db .dump | sed 's,writer [12],writer,' | sha256sum
echo "not sql;" | sqlite3 a.db 2>&1 || echo "status $?"
