create table planets (id integer primary key, name text not null, moons integer, mass real, discovered text, notes text);
insert into planets values
  (1, 'Mercury', 0, 0.33, null, 'hot'),
  (2, 'Venus', 0, 4.87, null, 'acid, clouds'),
  (3, 'Earth', 1, 5.97, null, 'home – 🌍'),
  (4, 'Mars', 2, 0.642, null, '<b>red</b>'),
  (5, 'Jupiter', 95, 1898.0, null, ''),
  (6, 'Saturn', 146, 568.0, null, null),
  (7, 'Uranus', 28, 86.8, '1781-03-13', 'tilted'),
  (8, 'Neptune', 16, 102.0, '1846-09-23', 'wind "fast"');

create table moons (code text primary key, planet_id integer references planets(id), radius_km real, image blob, tags text);
insert into moons values
  ('E1', 3, 1737.4, x'89504e4700', '["rock"]'),
  ('M1', 4, 11.3, null, '[]'),
  ('M2', 4, 6.2, null, null),
  ('J/1', 5, 1821.6, null, '["io","lava"]');
insert into moons
  with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 130)
  select 'S' || n, 6, n * 100.5, null, null from numbers;

create view big_moons as select code, radius_km from moons where radius_km > 1000;

create table "odd name/é" ("a b" text, "c,d" text);
insert into "odd name/é" values ('1 2', 'x,y');

create table empty (id integer primary key, x text);

create virtual table notes_fts using fts5(name, notes, content='planets', content_rowid='id');
insert into notes_fts(notes_fts) values ('rebuild');
