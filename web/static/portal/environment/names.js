// What is observed, in words: the service tells names with the stations; until then the code stands for them.

import { config, currentLanguage } from "../state.js";

const NAMES = {
  codmn: ["高锰酸盐指数", "Permanganate index"], codcr: ["化学需氧量", "Chemical oxygen demand"], bod5: ["五日生化需氧量", "BOD5"],
  nh3n: ["氨氮", "Ammonia nitrogen"], tp: ["总磷", "Total phosphorus"], tn: ["总氮", "Total nitrogen"], do: ["溶解氧", "Dissolved oxygen"],
  dissolved_oxygen: ["溶解氧", "Dissolved oxygen"], ph: ["pH", "pH"], water_temperature: ["水温", "Water temperature"],
  pm25: ["PM2.5", "PM2.5"], pm10: ["PM10", "PM10"], so2: ["二氧化硫", "Sulphur dioxide"], no2: ["二氧化氮", "Nitrogen dioxide"], co: ["一氧化碳", "Carbon monoxide"],
  o3: ["臭氧", "Ozone"], o3_8h: ["臭氧8小时", "Ozone, 8 h"], air_temperature: ["气温", "Air temperature"], humidity: ["相对湿度", "Humidity"],
  wind_speed: ["风速", "Wind speed"], wind_direction: ["风向", "Wind direction"], pressure: ["气压", "Air pressure"], noise: ["噪声", "Noise"],
};
const told = new Map();

/** Remember names that the service told, as {zh, en}. */
export function learn(code, label) {
  told.set(code, [label.zh, label.en]);
}

/** What to call a station: its Chinese name to who reads Chinese, where it has one. */
export const stationName = (own) => (currentLanguage() === "zh" && own.name_zh ? own.name_zh : own.name);

/** A unit as people write it. */
export const unitWords = (unit) => (unit ?? "").replace(/^ug\//, "µg/").replace(/m3$/, "m³").replace(/m2$/, "m²");

/** What to call an observed property. */
export function nameOf(code) {
  const lists = ["air-pollutant@1", "water-property@1"].map((list) => config.codelists[list]?.[code]);
  const pair = NAMES[code] ?? lists.find(Boolean) ?? told.get(code);
  return pair ? pair[currentLanguage() === "zh" ? 0 : 1] : code;
}
