"""The page for the host's engineers: sites, connectors, sessions, records, faults. Chinese and English."""

import json

from operator_sdk.contract.public_codes import PUBLIC_CODES

_TEMPLATE = """<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>设施运营商 · Host operator</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{--ink:#1c2430;--soft:#5d6b7c;--line:#dde3ea;--ground:#f4f6f9;--good:#0b7a4b;--busy:#1459b8;
--bad:#b3261e;--off:#7a8594}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;margin:0;
background:var(--ground);color:var(--ink)}
header{background:#14263d;color:#fff;padding:.9rem 1.2rem;display:flex;gap:1rem;align-items:center;
flex-wrap:wrap}
header h1{font-size:1.15rem;margin:0;flex:1}header span{opacity:.85;font-size:.9rem}
header button{background:none;border:1px solid #ffffff66;color:#fff;border-radius:.4rem;padding:.2rem .7rem;
font:inherit;cursor:pointer}
main{max-width:80rem;margin:0 auto;padding:1rem 1.2rem 3rem}
h2{font-size:1rem;margin:1.4rem 0 .5rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.8rem}
.card,.table{background:#fff;border:1px solid var(--line);border-radius:.6rem}
.card{padding:.8rem 1rem}.card b{font-size:1.02rem}
.card dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem .8rem;margin:.5rem 0 0}
dt{color:var(--soft)}dd{margin:0;text-align:right;font-variant-numeric:tabular-nums}
.pill{float:right;font-size:.85rem;border-radius:1rem;padding:.05rem .65rem;color:#fff;background:var(--off)}
.good{background:var(--good)}.busy{background:var(--busy)}.bad{background:var(--bad)}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%;min-width:46rem}
th,td{padding:.45rem .6rem;text-align:left;border-top:1px solid var(--line);white-space:nowrap}
th{border-top:0;color:var(--soft);font-weight:500}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td .pill{float:none}
td small{color:var(--soft)}td button{font:inherit;padding:.1rem .6rem;cursor:pointer}
.none{color:var(--soft);padding:.7rem 1rem}#said{color:var(--bad);margin:0}
</style></head><body>
<header><h1 id="title"></h1><span id="published"></span><button id="language"></button></header>
<main><p id="said" role="status"></p>
<h2 id="h-sites"></h2><div id="sites" class="cards"></div>
<h2 id="h-connectors"></h2><div id="connectors" class="cards"></div>
<h2 id="h-sessions"></h2><div id="sessions" class="table"></div>
<h2 id="h-faults"></h2><div id="faults" class="table"></div>
<h2 id="h-alarms"></h2><div id="alarms" class="table"></div></main>
<script>
const WORDS={zh:{title:"设施运营商控制台",published:"已向枢纽发布",unpublished:"尚未发布到枢纽",
sites:"场站代理",connectors:"充电枪",sessions:"会话与订单",faults:"故障",alarms:"告警",none:"暂无",
online:"在线",away:"离线",since:"连接时间",can:"CAN 帧",meter:"电表帧",spool:"待上传",version:"版本",
health:"上次自报",power:"额定功率",site:"场站",session:"会话",connector:"充电枪",state:"状态",
energy:"电量 kWh",amount:"金额 元",watt:"功率 kW",soc:"SOC",numbers:"已确认/收到",record:"订单",
driver:"司机实扣",stop:"停止",code:"代码",text:"说明",at:"时间",cleared:"已恢复",open:"未恢复",
refused:"拒收",lang:"English",reached:"连不上控制台",
states:{offline:"离线",available:"空闲",occupied:"占用",charging:"充电中",reserved:"已预约",
faulted:"故障",starting:"启动中",paused:"暂停",stopping:"停止中",ended:"已结束",start_failed:"启动失败",
refused:"已拒绝",accepted:"已接受",suspended:"挂账",rejected:"已退回",ac:"交流",dc:"直流",
superseded:"第二个连接顶替了第一个",proof_wrong:"身份证明错误",bad_item:"无法识别的数据",
driver_remote:"司机远程停止",driver_local:"司机现场停止",card:"刷卡停止",target_energy:"达到目标电量",
target_amount:"达到目标金额",target_time:"达到目标时长",limit_reached:"达到限额",vehicle_full:"已充满",
vehicle:"车辆停止",fault:"故障",unplugged:"拔枪",emergency:"急停",host:"运营商停止",hub:"枢纽停止",
unknown:"未知"}},
en:{title:"Host operator",published:"published to the hub",unpublished:"not yet published to the hub",
sites:"Site agents",connectors:"Connectors",sessions:"Sessions and records",faults:"Faults",alarms:"Alarms",
none:"None",online:"connected",away:"offline",since:"Connected",can:"CAN frames",meter:"Meter frames",
spool:"Waiting on site",version:"Version",health:"Last report",power:"Rated power",site:"Site",
session:"Session",connector:"Connector",state:"State",energy:"Energy kWh",amount:"Amount yuan",watt:"Power kW",
soc:"SOC",numbers:"Sent on/got",record:"Record",driver:"Driver paid",stop:"Stop",code:"Code",
text:"Details",at:"At",cleared:"cleared",open:"open",refused:"refused",lang:"中文",
reached:"the console does not answer",states:{start_failed:"start failed",
superseded:"a second connection took over",proof_wrong:"proof wrong",bad_item:"unreadable item"}}};
let lang=localStorage.getItem("lang")||(navigator.language.startsWith("zh")?"zh":"en");
const $=id=>document.getElementById(id),w=key=>WORDS[lang][key];
const CODES={};
const named=code=>code==null?"":(w("states")[code]||(lang==="zh"&&CODES[code])||code.replaceAll("_"," "));
const yuan=fen=>(fen/100).toFixed(2),kilo=x=>(x/1000).toFixed(x%1000?2:0);
const when=at=>at?new Date(at).toLocaleString(lang==="zh"?"zh-CN":"en-GB",{timeZone:"Asia/Shanghai",
  month:"2-digit",day:"2-digit",hour:"2-digit",minute:"2-digit",second:"2-digit"}):"–";
function el(tag,words,cls){const e=document.createElement(tag);if(words!=null)e.textContent=words;
  if(cls)e.className=cls;return e;}
const GOOD=["available","accepted","online"],BUSY=["charging","starting","paused","stopping","reserved",
  "occupied"],BAD=["faulted","start_failed","refused","rejected","suspended"];
function pill(state,words){return el("span",words||named(state),"pill "+(GOOD.includes(state)?"good":
  BUSY.includes(state)?"busy":BAD.includes(state)?"bad":""));}
function card(title,state,facts){const d=el("div",null,"card"),l=el("dl");
  facts.filter(f=>f).forEach(([k,v])=>l.append(el("dt",k),el("dd",v)));
  d.append(el("b",title),state,l);return d;}
function table(into,heads,rows){if(!rows.length){$(into).replaceChildren(el("div",w("none"),"none"));return;}
  const t=el("table"),h=el("tr");heads.forEach(([k,n])=>h.append(el("th",k,n?"n":"")));t.append(h);
  rows.forEach(cells=>{const r=el("tr");cells.forEach((c,i)=>{const d=el("td",null,heads[i][1]?"n":"");
    c instanceof Node?d.append(c):d.append(c==null?"":c);r.append(d);});t.append(r);});
  $(into).replaceChildren(t);}
function cards(into,made){$(into).replaceChildren(...(made.length?made:[el("div",w("none"),"none")]));}
const get=async path=>(await fetch(path)).json();
async function stop(id){const r=await fetch("/local/sessions/"+id+"/stop",{method:"POST",body:"{}"});
  const a=await r.json();$("said").textContent=r.ok?"":a.message;show();}
function stopButton(s){if(!["starting","charging","paused"].includes(s.state))return"";
  const b=el("button",w("stop"));b.onclick=()=>stop(s.session_id);return b;}
function numbers(s){const n=s.numbers;return n.acknowledged.length+" / "+n.made.length
  +(n.refused.length?" · "+w("refused")+" "+n.refused.length:"");}
async function show(){
  ["sites","connectors","sessions","faults","alarms"].forEach(k=>$("h-"+k).textContent=w(k));
  $("title").textContent=w("title");$("language").textContent=w("lang");document.documentElement.lang=lang;
  let c,s,x,f;
  try{[c,s,x,f]=await Promise.all(["connectors","sites","sessions","faults"].map(k=>get("/local/"+k)));}
  catch{$("said").textContent=w("reached");return;}
  if($("said").textContent===WORDS[lang].reached)$("said").textContent="";
  $("published").textContent=w(c.published?"published":"unpublished");
  cards("sites",s.sites.map(one=>card(one.site_id,
    pill(one.connected?"online":"away",w(one.connected?"online":"away")),[
    [w("since"),when(one.since)],[w("can"),one.can_frames.toLocaleString()],
    [w("meter"),one.meter_frames.toLocaleString()],[w("spool"),one.spool_waiting.toLocaleString()],
    [w("health"),when(one.health_at)],one.agent_version?[w("version"),one.agent_version]:null])));
  cards("connectors",c.connectors.map(one=>card(one.connector_id+" "+named(one.kind).toUpperCase(),
    pill(one.state),[[w("power"),kilo(one.rated_power_w)+" kW"],[w("site"),one.site_id||"–"],
    one.session_id?[w("session"),"…"+one.session_id.slice(-8)]:null])));
  table("sessions",[[w("session")],[w("connector")],[w("state")],[w("energy"),1],[w("amount"),1],[w("watt"),1],
    [w("soc"),1],[w("numbers"),1],[w("record")],[w("driver"),1],[""]],x.sessions.map(one=>[
    "…"+one.session_id.slice(-8),one.connector_id,pill(one.state,named(one.state)
      +(one.refusal||one.stop_reason?" · "+named(one.refusal||one.stop_reason):"")),
    (one.energy_wh/1000).toFixed(3),yuan(one.amount_fen),kilo(one.power_w),
    one.soc_percent==null?"":one.soc_percent+" %",numbers(one),one.record?pill(one.record.state):"",
    one.settlement?yuan(one.settlement.driver_amount_fen):"",stopButton(one)]));
  table("faults",[[w("site")],[w("connector")],[w("code")],[w("text")],[w("at")],[w("state")]],
    f.faults.map(one=>[one.site_id,one.connector_id||"–",one.code,one.text,when(one.at),
    pill(one.cleared?"available":"faulted",w(one.cleared?"cleared":"open"))]));
  table("alarms",[[w("site")],[w("code")],[w("text")],[w("at")]],
    f.alarms.map(one=>[one.site_id,named(one.code),one.detail,when(one.at)]));}
$("language").onclick=()=>{lang=lang==="zh"?"en":"zh";localStorage.setItem("lang",lang);show();};
show();setInterval(show,2000);
</script></body></html>
"""
_REFUSALS = {code.value: meaning.zh for code, meaning in PUBLIC_CODES.items()}
PAGE = _TEMPLATE.replace("CODES={}", f"CODES={json.dumps(_REFUSALS, ensure_ascii=False)}")
